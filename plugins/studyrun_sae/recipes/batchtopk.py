"""BatchTopK: the k n largest of a batch of n rows, and the threshold that stands for them later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from studyrun_sae.architectures import BatchTopK
from studyrun_sae.recipes.choosing import Several, largest, spread
from studyrun_sae.recipes.contract import Passed, Recipe, Variance
from studyrun_sae.recipes.gradients import counted, encoded, relative_error

__all__ = ["BatchTopKRecipe", "largest_of_batch"]


def largest_of_batch(
    pre_acts: Float[Tensor, "*stack rows d_sae"], k: int | Several
) -> Float[Tensor, "*stack rows d_sae"]:
    """The k * rows largest pre-activations of the whole batch, where positive; the rest are 0."""
    flat = pre_acts.relu().flatten(-2)
    chosen = largest(flat, k * pre_acts.shape[-2])
    return spread(chosen, chosen.values, flat.shape[-1]).view_as(pre_acts)


class BatchTopKRecipe(Recipe):
    """Reconstruction alone (Bussmann et al. 2024).

    The threshold is the mean over batches of the smallest activation that was kept: a running
    mean, because what is smallest changes while the weights do.
    """

    name: ClassVar[str] = "batchtopk"

    def __init__(self, k: int | Several, d_sae: int, own: Any = None) -> None:
        """Of a study's parameters."""
        super().__init__(k, d_sae, own)
        shape = () if isinstance(k, int) else k.each.shape
        self.state = {"threshold": torch.zeros(shape, dtype=torch.float64)}

    def architecture(self, weights: Mapping[str, Tensor]) -> BatchTopK:
        """With the threshold so far."""
        return BatchTopK(self.alone, self._threshold(weights))

    def passed(
        self,
        weights: Mapping[str, Tensor],
        x: Float[Tensor, "*stack rows d_in"],
        variance: Variance,
    ) -> Passed:
        """The loss of a batch."""
        pre_acts = encoded(weights, x)
        z = largest_of_batch(pre_acts, self.k)
        n_active, on = counted(z)
        centred = x - weights["b_dec"].unsqueeze(-2)
        error, penalty = self.errors(z, weights["W_dec"], centred, variance)
        smallest = z.detach().masked_fill(z == 0, torch.inf).amin((-2, -1))
        reconstruction = relative_error(error, variance)
        return Passed(pre_acts, error, reconstruction, penalty, n_active, on, smallest)

    def errors(
        self,
        z: Float[Tensor, "*stack rows d_sae"],
        W_dec: Float[Tensor, "*stack d_sae d_in"],
        centred: Float[Tensor, "*stack rows d_in"],
        variance: Variance,  # noqa: ARG002  # of penalties
    ) -> tuple[Float[Tensor, "*stack rows d_in"], Float[Tensor, "*stack"]]:
        """What z leaves of x - b_dec, and the penalty."""
        return centred - z @ W_dec, z.new_zeros(z.shape[:-2])

    def after(self, passed: Passed) -> None:
        """Move the threshold; the first one is taken as it is."""
        assert passed.smallest is not None, "`passed` says it"
        new, momentum = passed.smallest.double(), self.own.momentum
        known = self.state["threshold"].to(new.device)
        moved = torch.where(known > 0, momentum * known + (1 - momentum) * new, new)
        self.state["threshold"] = torch.where(new.isfinite(), moved, known)

    def _threshold(self, weights: Mapping[str, Tensor]) -> Float[Tensor, ""]:
        return self.state["threshold"].to(weights["b_enc"])
