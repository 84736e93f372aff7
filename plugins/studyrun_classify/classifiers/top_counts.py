"""What rules by shares look at: how many of a feature's top problems have each concept."""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby
from operator import itemgetter
from typing import Any

import polars as pl

from studyrun import Evidence
from studyrun_classify import columns
from studyrun_classify.features import top_problems
from studyrun_classify.statistics.association import share

__all__ = ["SCHEMA", "Row", "numbers_of", "rows_of_features", "top_counts"]

Row = dict[str, Any]
SCHEMA = columns.PUBLISHED.schema()


def top_counts(evidence: Evidence, n: int, kinds: Collection[str]) -> pl.DataFrame:
    """Every feature with every concept of these kinds; features by rank, concepts in their order.

    Columns: feature, concept, kind, n_active (top problems, at most n), n_active_with (those of
    them that have the concept), n_total and n_with (all problems, and those that have it), rate =
    n_active_with / n_active, base_rate = n_with / n_total, lift = rate / base_rate; null where
    undefined.

    Args:
        evidence: what a classifier is given.
        n: how many problems of largest |activation| are looked at.
        kinds: of the concepts.
    """
    top = top_problems(evidence.activations, evidence.problems, n)
    taken = top.group_by("feature").agg(n_active=pl.len())
    members = evidence.membership.rename({"concept": "index"})
    held = top.join(members, on="problem").group_by("feature", "index")
    pairs = evidence.features.select("feature").join(_concepts(evidence, kinds), how="cross")
    counted = (
        pairs.join(taken, on="feature", how="left", maintain_order="left")
        .join(held.agg(n_active_with=pl.len()), on=["feature", "index"], how="left",
              maintain_order="left")
        .with_columns(pl.col("n_active", "n_active_with").fill_null(0))
    )  # fmt: skip
    rate, base = share("n_active_with", "n_active"), share("n_with", "n_total")
    return counted.select(
        "feature", "concept", "kind", "n_active", "n_active_with", "n_total", "n_with", rate=rate,
        base_rate=base, lift=pl.when(pl.col("n_with") > 0).then(rate / base),
    )  # fmt: skip


def _concepts(evidence: Evidence, kinds: Collection[str]) -> pl.DataFrame:
    """(index, concept, kind, n_with, n_total) of the concepts of these kinds."""
    base = evidence.membership.group_by("concept").agg(n_with=pl.len()).rename({"concept": "index"})
    rows = [
        (index, concept.name, concept.kind)
        for index, concept in enumerate(evidence.concepts)
        if concept.kind in kinds
    ]
    schema = {"index": pl.UInt32, "concept": pl.String, "kind": pl.String}
    named = pl.DataFrame(rows, schema=schema, orient="row")
    n_total = pl.lit(evidence.problems.height, pl.UInt32)
    counted = named.join(base, on="index", how="left", maintain_order="left")
    return counted.with_columns(pl.col("n_with").fill_null(0), n_total=n_total)


def rows_of_features(counted: pl.DataFrame) -> dict[int, list[Row]]:
    """The rows of each feature that has any, in their order."""
    rows = counted.iter_rows(named=True)
    return {feature: list(found) for feature, found in groupby(rows, key=itemgetter("feature"))}


def numbers_of(row: Row) -> Row:
    """The concept of the row, as the one that a label's numbers are of."""
    numbers = {name: row[name] for name in ("concept", "rate", "base_rate", "lift")}
    return {"n_with": row["n_active_with"], **numbers}
