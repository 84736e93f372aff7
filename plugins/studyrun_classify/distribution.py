"""How the kinds of features are distributed over the ranges of frequency ranks."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from studyrun_classify import columns
from studyrun_classify.kinds import KINDS
from studyrun_classify.ranks import Ranks
from studyrun_classify.statistics.intervals import wilson

__all__ = ["SCHEMA", "distribution"]

SCHEMA = columns.DISTRIBUTION.schema()


def distribution(labels: pl.DataFrame, ranges: Sequence[Ranks]) -> pl.DataFrame:
    """The table `SCHEMA`, a row per range and kind.

    `n` of the range's `total` features are of that kind; the interval of their share is Wilson's
    at 95 %: what other features of such a range would show.

    Args:
        labels: with `rank` and `kind`.
        ranges: without overlap, within the ranks that exist.
    """
    others = sorted(set(labels["kind"]) - set(KINDS))
    rows = [
        {"ranks": str(ranks), "first": ranks.first, "last": ranks.last, "kind": kind,
         "n": _count(labels, ranks, kind), "total": len(ranks)}
        for ranks in ranges
        for kind in (*KINDS, *others)
    ]  # fmt: skip
    counted = pl.Schema({name: dtype for name, dtype in SCHEMA.items() if name in rows[0]})
    frame = pl.DataFrame(rows, counted)
    n, total = (frame[name].cast(pl.Float64).to_numpy() for name in ("n", "total"))
    interval = wilson(n, total)
    return frame.with_columns(share=n / total, ci_low=interval.low, ci_high=interval.high)


def _count(labels: pl.DataFrame, ranks: Ranks, kind: str) -> int:
    inside = pl.col("rank").is_between(ranks.first, ranks.last)
    return labels.filter(inside & (pl.col("kind") == kind)).height
