"""JumpReLU: every feature's threshold is learnt, through a kernel in place of a step's slope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from studyrun_sae.architectures import JumpReLU
from studyrun_sae.recipes.choosing import largest
from studyrun_sae.recipes.contract import Passed, Recipe, Variance, encoded, relative_error

__all__ = ["JumpReLURecipe", "step"]

ROWS = 1024
"""Rows from which the first thresholds are read."""
SPEED = 5.0
"""threshold = exp(SPEED * exponent): Adam moves each number by about the learning rate, and in a
run of a few hundred steps log thresholds must go further than weights (measured: without it l0
stays at half of k)."""


class _Step(torch.autograd.Function):
    """1 where h > 0, else 0; its slope is a rectangle of that bandwidth and area 1."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, bandwidth: float) -> Tensor:
        ctx.save_for_backward(h)
        ctx.bandwidth = bandwidth
        return (h > 0).to(h.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (h,) = ctx.saved_tensors
        return gradient * (h.abs() < ctx.bandwidth / 2) / ctx.bandwidth, None


def step(
    h: Float[Tensor, "*stack rows d_sae"], bandwidth: float
) -> Float[Tensor, "*stack rows d_sae"]:
    """Heaviside's step with a straight-through slope (Rajamanoharan et al. 2024, section 3)."""
    found: Tensor = _Step.apply(h, bandwidth)  # type: ignore[no-untyped-call]  # torch's
    return found


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
        h = pre_acts.relu()
        on = step(h.detach() - _thresholds(weights).unsqueeze(-2), self.own.bandwidth)
        error = x - ((h * on) @ weights["W_dec"] + weights["b_dec"].unsqueeze(-2))
        penalty = self.own.l0_weight * (on.sum(-1).mean(-1) / self.each - 1).square()
        fired, reconstruction = on.detach() > 0, relative_error(error, variance)
        n_active = fired.sum((-2, -1))
        return Passed(pre_acts, error, reconstruction, penalty, n_active, fired.any(-2))


def _thresholds(weights: Mapping[str, Tensor]) -> Float[Tensor, "*stack d_sae"]:
    return (SPEED * weights["exponent"]).exp()
