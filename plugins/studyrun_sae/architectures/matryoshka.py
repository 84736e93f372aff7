"""Matryoshka: BatchTopK whose first groups of features reconstruct by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from studyrun_sae.architectures.batchtopk import BatchTopK

__all__ = ["Matryoshka"]


@dataclass(frozen=True, eq=False)
class Matryoshka(BatchTopK):
    """Used as BatchTopK is (Bussmann et al. 2025); the groups say how it was trained."""

    name: ClassVar[str] = "matryoshka"

    group_sizes: Sequence[int]
    """Features of each group, first group first; they sum to d_sae."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "group_sizes", tuple(self.group_sizes))  # JSON has lists
