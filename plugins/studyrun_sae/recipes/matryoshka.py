"""Matryoshka: BatchTopK whose first groups of features are SAEs by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from studyrun_sae.architectures import Matryoshka
from studyrun_sae.recipes.batchtopk import BatchTopKRecipe
from studyrun_sae.recipes.choosing import Several
from studyrun_sae.recipes.contract import Variance
from studyrun_sae.recipes.gradients import relative_error

__all__ = ["MatryoshkaRecipe", "doubling"]


def doubling(d_sae: int) -> list[int]:
    """Up to five groups: a sixteenth of the features, then each doubles those so far."""
    ends = sorted({d_sae // 2**power for power in range(5)} - {0})
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


class MatryoshkaRecipe(BatchTopKRecipe):
    """The sum of the reconstruction losses of every prefix of groups (Bussmann et al. 2025).

    The k n largest are of all features at once, so that a prefix has as many as it earns.
    """

    name: ClassVar[str] = "matryoshka"

    def __init__(self, k: int | Several, d_sae: int, own: Any = None) -> None:
        """Of a study's parameters."""
        super().__init__(k, d_sae, own)
        self.groups = list(own.groups or doubling(d_sae))

    def architecture(self, weights: Mapping[str, Tensor]) -> Matryoshka:
        """With the threshold so far."""
        return Matryoshka(self.alone, self._threshold(weights), self.groups)

    def errors(
        self,
        z: Float[Tensor, "*stack rows d_sae"],
        W_dec: Float[Tensor, "*stack d_sae d_in"],
        centred: Float[Tensor, "*stack rows d_in"],
        variance: Variance,
    ) -> tuple[Float[Tensor, "*stack rows d_in"], Float[Tensor, "*stack"]]:
        """What all groups leave; the penalty is the loss of every shorter prefix."""
        error, penalty = centred, z.new_zeros(z.shape[:-2])
        parts = zip(
            torch.split(z, self.groups, -1), torch.split(W_dec, self.groups, -2), strict=True
        )
        for index, (some, rows) in enumerate(parts):
            if index:
                penalty = penalty + relative_error(error, variance)
            error = error - some @ rows
        return error, penalty
