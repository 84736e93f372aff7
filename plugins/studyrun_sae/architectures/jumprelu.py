"""JumpReLU: a threshold for every feature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from studyrun_sae.architectures.contract import Architecture

__all__ = ["JumpReLU"]


@dataclass(frozen=True, eq=False)
class JumpReLU(Architecture):
    """Pre-activations above their feature's threshold (Rajamanoharan et al. 2024b)."""

    name: ClassVar[str] = "jumprelu"
    TENSORS: ClassVar = {"threshold": "d_sae"}

    threshold: Float[Tensor, " d_sae"]
    """A pre-activation equal to it is inactive."""

    def activate(self, pre_acts: Float[Tensor, "rows d_sae"]) -> Float[Tensor, "rows d_sae"]:
        """relu(pre_acts) where pre_acts > threshold, else 0."""
        return pre_acts.relu() * (pre_acts > self.threshold)

    def rescaled(self, scale: float) -> JumpReLU:
        """Thresholds grow with what is compared with them."""
        return replace(self, threshold=self.threshold * scale)
