"""The encoded problems of a split, and the active pairs of all features on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun import Artifact

__all__ = ["ActivePairs", "Floats", "Places", "active_pairs", "encoded"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class ActivePairs:
    """Activations that are not 0, by feature and, within a feature, from the smallest on."""

    feature: Places
    """(pairs,)"""
    problem: NDArray[np.uint32]
    """(pairs,)"""
    value: Floats
    """(pairs,) with their signs."""
    n_active: Places
    """(features,) how many each feature has."""

    def __len__(self) -> int:
        return len(self.feature)

    @property
    def starts(self) -> Places:
        """(features,) where those of each feature begin."""
        return np.asarray(np.cumsum(self.n_active) - self.n_active)

    @property
    def ever(self) -> Places:
        """Features that are active at all."""
        return np.flatnonzero(self.n_active)


def encoded(acts: Artifact, split: str) -> pl.DataFrame:
    """(problem, id, split) of the encoded problems of a split; no rows where there is none."""
    rows = acts.read_table("rows")
    return rows if split == "all" else rows.filter(pl.col("split") == split)


def active_pairs(activations: pl.DataFrame, problems: pl.Series, d_sae: int) -> ActivePairs:
    """What is active on those problems.

    Args:
        activations: (problem, feature, activation).
        problems: numbers of the problems that are looked at.
        d_sae: how many features there are.
    """
    some = activations.filter(pl.col("activation") != 0)
    some = some.join(problems.to_frame("problem"), on="problem", how="semi")
    feature = some["feature"].to_numpy().astype(np.intp)
    problem, value = some["problem"].to_numpy(), some["activation"].cast(pl.Float64).to_numpy()
    order = np.lexsort((problem, value, feature))
    n_active = np.bincount(feature, minlength=d_sae)
    return ActivePairs(feature[order], problem[order], value[order], n_active)
