"""Problems on which a feature is active: the strongest, and some of every strength; pure."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun_features.active import ActivePairs, Places
from studyrun_features.columns import SAMPLES

__all__ = ["PARTS", "TOP", "sampled"]

TOP = "top"
PARTS = ("q80-100", "q60-80", "q40-60", "q20-40", "q0-20")
"""Fifths of a feature's active problems, the strongest first."""
Bits = NDArray[np.uint64]


def sampled(active: ActivePairs, ids: pl.DataFrame, top: int, each: int, seed: int) -> pl.DataFrame:
    """`SAMPLES`: the `top` strongest problems of every feature, and `each` drawn from every fifth.

    Active problems are ordered by |activation|, of equal ones the earlier problem first. What is
    drawn of a feature depends on the seed and on where it is active, not on other features.

    Args:
        active: all pairs.
        ids: (problem, id).
        top: how many of the strongest.
        each: how many of each fifth; all of it where it has fewer.
        seed: of what is drawn.
    """
    order = np.lexsort((active.problem, -np.abs(active.value), active.feature))
    feature, problem = active.feature[order], active.problem[order]
    n, rank = active.n_active[feature], np.arange(len(order)) - active.starts[feature]
    fifth = len(PARTS) - 1 - len(PARTS) * (n - 1 - rank) // np.maximum(n, 1)
    keys = _keys(feature, problem, seed)
    drawn = np.sort(_first_of_each(feature * len(PARTS) + fifth, keys, each))
    strongest = np.flatnonzero(rank < top)
    rows = np.concatenate([strongest, drawn])
    part = np.concatenate([np.zeros(len(strongest), dtype=np.intp), 1 + fifth[drawn]])
    sort = np.lexsort((rank[rows], part, feature[rows]))
    rows, part = rows[sort], part[sort]
    frame = pl.DataFrame(
        {
            "feature": feature[rows],
            "part": pl.Series([TOP, *PARTS], dtype=pl.String).gather(part),
            "place": 1 + _places_in(feature[rows] * (1 + len(PARTS)) + part),
            "problem": problem[rows],
            "activation": active.value[order][rows],
        }
    ).cast({"problem": pl.UInt32})
    named = frame.join(ids.select("problem", "id"), on="problem", how="left", maintain_order="left")
    return named.select(*SAMPLES.columns).cast(SAMPLES.schema())


def _first_of_each(group: Places, keys: Bits, each: int) -> Places:
    """Which are among the `each` smallest keys of their group."""
    order = np.lexsort((keys, group))
    return order[_places_in(group[order]) < each]


def _places_in(group: Places) -> Places:
    """0, 1, ... within each run of equal numbers."""
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    lengths = np.diff(starts, append=len(group))
    return np.arange(len(group)) - np.repeat(starts, lengths)


def _keys(feature: Places, problem: NDArray[np.uint32], seed: int) -> Bits:
    """A random number for every pair, which depends on the pair and the seed alone."""
    start = np.full(len(feature), seed, dtype=np.uint64)
    return _mixed(_mixed(_mixed(start) + feature.astype(np.uint64)) + problem.astype(np.uint64))


def _mixed(x: Bits) -> Bits:
    """The output function of SplitMix64.

    Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
    """
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
