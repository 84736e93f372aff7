"""The classifier `thresholds`: labels from shares of the top problems, as once published."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from studyrun import Classification, Evidence
from studyrun_classify.classifiers.rule import PublishedLabel, Shares, published_rule
from studyrun_classify.classifiers.top_counts import (
    SCHEMA,
    Row,
    numbers_of,
    rows_of_features,
    top_counts,
)
from studyrun_classify.params import ThresholdParams

__all__ = ["classify"]


def classify(evidence: Evidence, params: ThresholdParams) -> Classification:
    """Labels by `published_rule` over each feature's top problems; nothing is tested.

    `verdict` is `untested`, so that nobody takes such a label for a finding. `associations` holds
    the counts over the top problems, with rates and base rates, for operations and values. Where
    both are dominant, `kind` is `combination` and the numbers are those of the operation.
    """
    counted = top_counts(evidence, params.top, ("operation", "value"))
    of_feature = rows_of_features(counted)
    rows = [
        {"feature": feature, **_label(of_feature.get(feature, []), min(n, params.top), params)}
        for feature, n in evidence.features.select("feature", "n_active").iter_rows()
    ]
    return Classification(labels=pl.DataFrame(rows, schema=SCHEMA), associations=counted)


def _label(counted: Sequence[Row], n: int, params: ThresholdParams) -> Row:
    """The row of one feature, from its counts over n top problems."""
    said: Row = {"verdict": "untested", "evidence": "top problems", "n": n}
    if n == 0:
        return said | {"label": "insufficient", "kind": "insufficient"}
    found = published_rule(
        _counts(counted, "operation"),
        _counts(counted, "value"),
        n,
        ties=params.ties,
        operation=Shares(params.operation, params.other_operations),
        value=Shares(params.value, params.other_values),
    )
    return said | {"published_type": found.type} | _said(found, counted)


def _counts(counted: Sequence[Row], kind: str) -> dict[str, int]:
    return {row["concept"]: row["n_active_with"] for row in counted if row["kind"] == kind}


def _said(found: PublishedLabel, counted: Sequence[Row]) -> Row:
    names = [name for name in (found.operation, found.value) if name]
    if not names:
        return {"label": "general", "kind": "general"}
    kinds = {"operation-specialized": "operation", "value-specialized": "value"}
    row = next(row for row in counted if row["concept"] == names[0])
    kind = kinds.get(found.type, "combination")
    return {"label": " and ".join(names), "kind": kind, **numbers_of(row)}
