"""BatchTopK: trained with k * rows active in a batch, used with one threshold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from studyrun_sae.architectures.contract import Architecture

__all__ = ["BatchTopK"]


@dataclass(frozen=True, eq=False)
class BatchTopK(Architecture):
    """Pre-activations above one threshold (Bussmann et al. 2024): a row has k of them on average.

    The threshold is learnt in training, so that what a row gives depends on no other row.
    """

    name: ClassVar[str] = "batchtopk"
    TENSORS: ClassVar = {"threshold": ""}

    k: int | float
    """Active features a row had on average in training."""
    threshold: Float[Tensor, ""]
    """A pre-activation equal to it is inactive; above 0."""

    def activate(self, pre_acts: Float[Tensor, "rows d_sae"]) -> Float[Tensor, "rows d_sae"]:
        """pre_acts where pre_acts > threshold, else 0."""
        return pre_acts.masked_fill(pre_acts <= self.threshold, 0.0)

    def rescaled(self, scale: float) -> BatchTopK:
        """The threshold grows with what is compared with it."""
        return replace(self, threshold=self.threshold * scale)
