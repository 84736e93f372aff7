"""GroupMax: the largest pre-activation of each of k groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from studyrun_sae.architectures.contract import Active, KSparse

__all__ = ["GroupMax"]


@dataclass(frozen=True)
class GroupMax(KSparse):
    """The largest of each of k contiguous groups of d_sae / k features, then ReLU (sparsify)."""

    name: ClassVar[str] = "groupmax"

    def select(self, pre_acts: Float[Tensor, "rows d_sae"]) -> Active:
        """One feature a group."""
        top = pre_acts.reshape(len(pre_acts), self.k, -1).max(dim=2)
        starts = torch.arange(self.k, device=pre_acts.device) * (pre_acts.shape[1] // self.k)
        return Active(top.indices + starts, top.values.relu())
