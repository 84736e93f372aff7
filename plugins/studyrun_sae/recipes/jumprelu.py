"""JumpReLU: every feature's threshold is learnt, through a kernel in place of a step's slope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from studyrun_sae.architectures import JumpReLU
from studyrun_sae.recipes.choosing import largest
from studyrun_sae.recipes.contract import Passed, Recipe, Variance
from studyrun_sae.recipes.gradients import encoded, left

__all__ = ["JumpReLURecipe", "jumped"]

ROWS = 1024
"""Rows from which the first thresholds are read."""
SPEED = 5.0
"""threshold = exp(SPEED * exponent): Adam moves each number by about the learning rate, and in a
run of a few hundred steps log thresholds must go further than weights (measured: without it l0
stays at half of k)."""


class _Jump(torch.autograd.Function):
    """z and its counts; written by hand, because autograd makes twice as many temporaries."""

    @staticmethod
    def forward(
        ctx: Any, pre_acts: Tensor, thresholds: Tensor, bandwidth: float
    ) -> tuple[Tensor, Tensor]:
        h = pre_acts.relu()
        beyond = h - thresholds.unsqueeze(-2)
        on = beyond.sign().relu_()
        ctx.save_for_backward(h, beyond, on)
        ctx.bandwidth = bandwidth
        return h * on, on.sum(-2)

    @staticmethod
    def backward(ctx: Any, to_z: Tensor, to_counts: Tensor) -> tuple[Tensor, Tensor, None]:
        h, beyond, on = ctx.saved_tensors
        near = beyond.abs().neg_().add_(ctx.bandwidth / 2).sign_().relu_()
        to_on = (to_z * h).add_(to_counts.unsqueeze(-2))
        return to_z * on, to_on.mul_(near).sum(-2) / -ctx.bandwidth, None


def jumped(
    pre_acts: Float[Tensor, "*stack rows d_sae"],
    thresholds: Float[Tensor, "*stack d_sae"],
    bandwidth: float,
) -> tuple[Float[Tensor, "*stack rows d_sae"], Float[Tensor, "*stack d_sae"]]:
    """Z = h where h = relu(pre_acts) is above its threshold, else 0; and on how many rows it is.

    The step of a threshold has a straight-through slope, a rectangle of that bandwidth and area 1
    (Rajamanoharan et al. 2024, section 3), which reaches the thresholds alone.
    """
    z, counts = _Jump.apply(pre_acts, thresholds, bandwidth)  # type: ignore[no-untyped-call]
    return z, counts


class JumpReLURecipe(Recipe):
    """Reconstruction + l0_weight * (l0 / k - 1)^2 (Rajamanoharan et al. 2024).

    The kernel's slope reaches the thresholds alone, as in the paper: letting l0 move the encoder
    too doubled the held-out error.
    """

    name: ClassVar[str] = "jumprelu"

    def learnt(
        self, weights: Mapping[str, Tensor], x: Float[Tensor, "rows d_in"]
    ) -> dict[str, Tensor]:
        """The thresholds, all alike: k features a row are above them at the start."""
        pre_acts = (x[:ROWS] - weights["b_dec"]) @ weights["W_enc"] + weights["b_enc"]
        above = largest(pre_acts.flatten(), self.alone * len(pre_acts)).values.min()
        first = above.clamp(min=self.own.bandwidth / 2).log() / SPEED
        return {"exponent": first.repeat(self.d_sae)}

    def architecture(self, weights: Mapping[str, Tensor]) -> JumpReLU:
        """With the thresholds so far."""
        return JumpReLU(_thresholds(weights))

    def passed(
        self,
        weights: Mapping[str, Tensor],
        x: Float[Tensor, "*stack rows d_in"],
        variance: Variance,
    ) -> Passed:
        """The loss of a batch."""
        pre_acts = encoded(weights, x)
        z, counts = jumped(pre_acts, _thresholds(weights), self.own.bandwidth)
        error, reconstruction = left(x, z, weights, variance)
        l0 = counts.sum(-1) / x.shape[-2]
        penalty = self.own.l0_weight * (l0 / self.each - 1).square()
        n_active = counts.detach().long().sum(-1)
        return Passed(pre_acts, error, reconstruction, penalty, n_active, counts.detach() > 0)


def _thresholds(weights: Mapping[str, Tensor]) -> Float[Tensor, "*stack d_sae"]:
    return (SPEED * weights["exponent"]).exp()
