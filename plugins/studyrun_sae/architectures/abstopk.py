"""AbsTopK: the k largest magnitudes, with their sign."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from studyrun_sae.architectures.contract import Active, KSparse

__all__ = ["AbsTopK"]


@dataclass(frozen=True)
class AbsTopK(KSparse):
    """The k largest |pre-activations| with their sign: what many research scripts compute."""

    name: ClassVar[str] = "abstopk"

    pre_bias: bool = field(default=False, kw_only=True)
    """Such scripts subtract nothing."""

    def select(self, pre_acts: Float[Tensor, "rows d_sae"]) -> Active:
        """The k of largest magnitude, as they are."""
        features = torch.topk(pre_acts.abs(), self.k, dim=1, sorted=False).indices
        return Active(features, pre_acts.gather(1, features))
