"""What is known of each feature before any concept: how often, how strongly, on which problems."""

from __future__ import annotations

import numpy as np
import polars as pl

from studyrun_classify.columns import TOP_PROBLEMS

__all__ = ["ranked", "top_problems"]

AT_ONCE = 2**20
"""Pairs added up at once."""


def ranked(activations: pl.DataFrame, d_sae: int, n_problems: int) -> pl.DataFrame:
    """Every feature, rank 1 first: the most frequent, the smaller number where two are equal.

    Columns: feature, rank, n_active, frequency = n_active / n_problems, mean_abs_activation (mean
    of |activation| over all problems, 0 where inactive), mean_abs_when_active (over the active
    ones, null if there is none).

    Args:
        activations: (problem, feature, activation) of the active pairs.
        d_sae: how many features there are.
        n_problems: how many problems were encoded.
    """
    n_active, total = np.zeros(d_sae, dtype=np.uint32), np.zeros(d_sae)
    for some in activations.iter_slices(AT_ONCE):
        feature = some["feature"].to_numpy()
        strength = some["activation"].cast(pl.Float64).abs().to_numpy()
        n_active += np.bincount(feature, minlength=d_sae).astype(np.uint32)
        total += np.bincount(feature, weights=strength, minlength=d_sae)
    every = pl.int_range(d_sae, dtype=pl.UInt32, eager=True)
    frame = pl.DataFrame({"feature": every, "n_active": n_active, "total": total})
    ordered = frame.sort(["n_active", "feature"], descending=[True, False])
    return ordered.select(
        "feature",
        rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32),
        n_active="n_active",
        frequency=pl.col("n_active") / n_problems,
        mean_abs_activation=pl.col("total") / n_problems,
        mean_abs_when_active=pl.when(pl.col("n_active") > 0).then(
            pl.col("total") / pl.col("n_active")
        ),
    )


def top_problems(activations: pl.DataFrame, ids: pl.DataFrame, n: int) -> pl.DataFrame:
    """(feature, place, problem, id, activation): the n problems of largest |activation| of each.

    `place` counts from 1; where two are equal the earlier problem comes first.

    Args:
        activations: (problem, feature, activation) of the active pairs.
        ids: (problem, id).
        n: how many for each feature.
    """
    strongest = activations.with_columns(strength=pl.col("activation").abs()).sort(
        ["feature", "strength", "problem"], descending=[False, True, False]
    )
    place = pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over("feature")
    top = strongest.with_columns(place=place).filter(pl.col("place") <= n)
    named = top.join(ids.select("problem", "id"), on="problem", how="left", maintain_order="left")
    return named.select(*TOP_PROBLEMS.columns)
