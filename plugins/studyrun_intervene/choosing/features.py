"""The features as they can be chosen and named: rank, label, how often and how strongly active."""

from __future__ import annotations

import polars as pl

from studyrun_classify.features import ranked

__all__ = ["feature_table"]

NAMES = ("rank", "label", "kind", "concept")


def feature_table(
    activations: pl.DataFrame, d_sae: int, n: int, labels: pl.DataFrame | None
) -> pl.DataFrame:
    """Every feature, in the order of their numbers.

    Columns: feature, rank, label, kind, concept, n_active, frequency, mean_abs_activation (over all
    rows), mean_abs_when_active. Counts and means are of the rows given; where there are labels,
    rank, label, kind and concept are theirs, else these are null and the ranks are of these rows.

    Args:
        activations: (problem, feature, activation), active pairs only, of the rows measured.
        d_sae: how many features there are.
        n: how many rows were measured.
        labels: the table of a `labels` artifact.
    """
    measured = ranked(activations, d_sae, n)
    if labels is None:
        nothing = pl.lit(None, pl.String)
        return measured.with_columns(label=nothing, kind=nothing, concept=nothing).sort("feature")
    named = labels.select("feature", *NAMES).cast({"feature": pl.UInt32, "rank": pl.UInt32})
    return measured.drop("rank").join(named, on="feature", how="left").sort("feature")
