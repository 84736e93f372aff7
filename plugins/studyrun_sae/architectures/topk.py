"""TopK: the k largest pre-activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from studyrun_sae.architectures.contract import Active, KSparse

__all__ = ["TopK"]


@dataclass(frozen=True)
class TopK(KSparse):
    """The k largest pre-activations, then ReLU (Gao et al. 2024, section 2.3)."""

    name: ClassVar[str] = "topk"

    def select(self, pre_acts: Float[Tensor, "rows d_sae"]) -> Active:
        """The k largest; the negative among them become 0."""
        top = torch.topk(pre_acts, self.k, dim=1, sorted=False)
        return Active(top.indices, top.values.relu())
