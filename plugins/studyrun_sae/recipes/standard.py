"""Standard: ReLU and a penalty on the size of activations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from studyrun_sae.architectures import Standard
from studyrun_sae.recipes.contract import Passed, Recipe, Variance
from studyrun_sae.recipes.gradients import counted, encoded, left

__all__ = ["StandardRecipe"]


class StandardRecipe(Recipe):
    """Reconstruction + l1_weight * mean sum_j z_j |W_dec[j]| / sqrt(total variance).

    Bricken et al. 2023, whose decoder rows have norm 1; the norms make the penalty the same
    whether they have or not, and the variance makes it independent of the input's units.
    """

    name: ClassVar[str] = "standard"

    def architecture(self, weights: Mapping[str, Tensor]) -> Standard:  # noqa: ARG002  # has no tensors
        """What is used is what is trained."""
        return Standard()

    def passed(
        self,
        weights: Mapping[str, Tensor],
        x: Float[Tensor, "*stack rows d_in"],
        variance: Variance,
    ) -> Passed:
        """The loss of a batch."""
        pre_acts = encoded(weights, x)
        z = pre_acts.relu()
        error, reconstruction = left(x, z, weights, variance)
        norms = torch.linalg.vector_norm(weights["W_dec"], dim=-1)
        size = (z.sum(-2) * norms).sum(-1) / x.shape[-2]
        penalty = self.own.l1_weight * size / variance**0.5
        return Passed(pre_acts, error, reconstruction, penalty, *counted(z))
