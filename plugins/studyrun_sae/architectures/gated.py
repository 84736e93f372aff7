"""Gated: whether a feature is active and how much are told apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from studyrun_sae.architectures.contract import Architecture

__all__ = ["Gated"]


@dataclass(frozen=True, eq=False)
class Gated(Architecture):
    """One encoder for gate and magnitude, which differ in scale and bias.

    z = (pre_acts + b_gate > 0) * relu(exp(r_mag) * pre_acts + b_mag)

    (Rajamanoharan et al. 2024a, section 3.2)
    """

    name: ClassVar[str] = "gated"
    TENSORS: ClassVar = {"b_gate": "d_sae", "r_mag": "d_sae", "b_mag": "d_sae"}

    b_gate: Float[Tensor, " d_sae"]
    r_mag: Float[Tensor, " d_sae"]
    b_mag: Float[Tensor, " d_sae"]

    def activate(self, pre_acts: Float[Tensor, "rows d_sae"]) -> Float[Tensor, "rows d_sae"]:
        """The magnitude where the gate is open, else 0."""
        magnitude = pre_acts * self.r_mag.exp() + self.b_mag
        return magnitude.relu() * (pre_acts + self.b_gate > 0)

    def rescaled(self, scale: float) -> Gated:
        """Both biases grow with what they are added to; the ratio of the two scales stays."""
        return replace(self, b_gate=self.b_gate * scale, b_mag=self.b_mag * scale)
