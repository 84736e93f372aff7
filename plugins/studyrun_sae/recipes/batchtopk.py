"""BatchTopK: the k n largest of a batch of n rows, and the threshold that stands for them later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from studyrun_sae.architectures import BatchTopK
from studyrun_sae.recipes.contract import Passed, Recipe, relative_error

__all__ = ["BatchTopKRecipe", "largest_of_batch"]


def largest_of_batch(pre_acts: Float[Tensor, "rows d_sae"], k: int) -> Float[Tensor, "rows d_sae"]:
    """The k * rows largest pre-activations of the whole batch, where positive; the rest are 0."""
    flat = pre_acts.relu().flatten()
    top = torch.topk(flat, k * len(pre_acts), sorted=False)
    return torch.zeros_like(flat).scatter(0, top.indices, top.values).view_as(pre_acts)


class BatchTopKRecipe(Recipe):
    """Reconstruction alone (Bussmann et al. 2024).

    The threshold is the mean over batches of the smallest activation that was kept: a running
    mean, because what is smallest changes while the weights do.
    """

    name: ClassVar[str] = "batchtopk"

    def __init__(self, k: int, d_sae: int, own: Any = None) -> None:
        """Of a study's parameters."""
        super().__init__(k, d_sae, own)
        self.state = {"threshold": torch.zeros((), dtype=torch.float64)}

    def architecture(self, weights: Mapping[str, Tensor]) -> BatchTopK:
        """With the threshold so far."""
        return BatchTopK(self.k, self._threshold(weights))

    def passed(
        self, weights: Mapping[str, Tensor], x: Float[Tensor, "rows d_in"], variance: float
    ) -> Passed:
        """The loss of a batch."""
        sae = self.sae(weights)
        pre_acts = sae.pre_acts(x)
        z = largest_of_batch(pre_acts, self.k)
        fired = z.detach() > 0
        error, penalty = self.errors(z, sae.W_dec, x - sae.b_dec, variance)
        smallest = z.detach().masked_fill(~fired, torch.inf).min()
        reconstruction = relative_error(error, variance)
        return Passed(pre_acts, error, reconstruction, penalty, fired.sum(), fired.any(0), smallest)

    def errors(
        self,
        z: Float[Tensor, "rows d_sae"],
        W_dec: Float[Tensor, "d_sae d_in"],
        centred: Float[Tensor, "rows d_in"],
        variance: float,  # noqa: ARG002  # of penalties
    ) -> tuple[Float[Tensor, "rows d_in"], Float[Tensor, ""]]:
        """What z leaves of x - b_dec, and the penalty."""
        return centred - z @ W_dec, z.new_zeros(())

    def after(self, passed: Passed) -> None:
        """Move the threshold; the first one is taken as it is."""
        assert passed.smallest is not None, "`passed` says it"
        new, momentum = passed.smallest.double(), self.own.momentum
        known = self.state["threshold"].to(new.device)
        moved = torch.where(known > 0, momentum * known + (1 - momentum) * new, new)
        self.state["threshold"] = torch.where(new.isfinite(), moved, known)

    def _threshold(self, weights: Mapping[str, Tensor]) -> Float[Tensor, ""]:
        return self.state["threshold"].to(weights["b_enc"])
