"""The table `labels`: one row per feature, whatever the classifier knows of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun import Evidence, StudyError
from studyrun_classify import columns
from studyrun_classify.controls.stability import stability
from studyrun_classify.variants import UNTRAINED

__all__ = ["COLUMNS", "FEATURE", "MEASURED", "SCHEMA", "labels_table", "with_measured"]

FEATURE = columns.FEATURE.schema()
COLUMNS = columns.SAID.schema()
MEASURED = columns.MEASURED.schema()
SCHEMA = columns.LABELS.schema()
NEEDED = ("feature", "label", "kind", "verdict")


def labels_table(evidence: Evidence, labels: pl.DataFrame, classifier: str) -> pl.DataFrame:
    """`FEATURE`, `COLUMNS` and what else the classifier gave; every feature, rank 1 first.

    Raises:
        StudyError: there is not exactly one row per feature, or a column is missing.
    """
    missing = [name for name in NEEDED if name not in labels.columns]
    if missing:
        raise StudyError(f"classifier {classifier!r} gave no column {', '.join(missing)}")
    every, given = evidence.features["feature"], labels["feature"].cast(pl.UInt32)
    if not given.sort().equals(every.sort()):
        raise StudyError(
            f"classifier {classifier!r} must give one row for each of {len(every)} features; it "
            f"gave {len(given)} rows for {given.n_unique()} features"
        )
    known = evidence.features.with_columns(n_total=pl.lit(evidence.problems.height, pl.UInt32))
    said = _with_all_columns(labels.with_columns(feature=given))
    return known.select(*FEATURE).join(said, on="feature", how="left", maintain_order="left")


def _with_all_columns(labels: pl.DataFrame) -> pl.DataFrame:
    standard = [
        (pl.col(name) if name in labels.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in COLUMNS.items()
    ]
    extra = [name for name in labels.columns if name not in {*COLUMNS, *FEATURE, *MEASURED}]
    return labels.select("feature", *standard, *extra)


def with_measured(
    labels: pl.DataFrame,
    labelled: Mapping[str, NDArray[np.bool_]],
    matches: pl.DataFrame,
    top: pl.DataFrame,
) -> pl.DataFrame:
    """`SCHEMA`, then what else the classifier gave; null where a control was not asked for.

    Args:
        labels: of `labels_table`.
        labelled: control -> (runs, features) which features got a label, in the order of `labels`.
        matches: every feature's matches in other SAEs.
        top: the top problems of each feature, in order.
    """
    overall = float(labelled[UNTRAINED].mean()) if UNTRAINED in labelled else None
    rated = labels.with_columns(
        permuted_rate=_rates(labelled.get("permuted")),
        matched_rate=_rates(labelled.get("matched")),
        untrained_rate=pl.lit(overall, pl.Float64),
    )
    ids = top.group_by("feature", maintain_order=True).agg(top_problems="id")
    frame = rated.join(stability(matches), on="feature", how="left", maintain_order="left")
    frame = frame.join(ids, on="feature", how="left", maintain_order="left")
    extra = [name for name in labels.columns if name not in SCHEMA]
    return frame.with_columns(pl.col("top_problems").fill_null([])).select(*SCHEMA, *extra)


def _rates(labelled: NDArray[np.bool_] | None) -> pl.Series | pl.Expr:
    """Each feature's share of runs in which it got a label."""
    if labelled is None:
        return pl.lit(None, pl.Float64)
    return pl.Series(labelled.mean(axis=0))
