"""Standard: ReLU, as trained with an L1 penalty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from studyrun_sae.architectures.contract import Architecture

__all__ = ["Standard"]


@dataclass(frozen=True)
class Standard(Architecture):
    """Every positive pre-activation (Bricken et al. 2023)."""

    name: ClassVar[str] = "standard"

    def activate(self, pre_acts: Float[Tensor, "rows d_sae"]) -> Float[Tensor, "rows d_sae"]:
        """relu(pre_acts)."""
        return pre_acts.relu()
