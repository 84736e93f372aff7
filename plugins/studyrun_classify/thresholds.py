"""The classifier `thresholds`: labels from shares of the top problems, as once published."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from studyrun import Classification, Evidence
from studyrun_classify.association import presence
from studyrun_classify.features import top_problems
from studyrun_classify.incidence import counts, incidence_of
from studyrun_classify.params import ThresholdParams
from studyrun_classify.rule import PublishedLabel, Shares, published_rule

__all__ = ["SCHEMA", "classify"]

SCHEMA = pl.Schema(
    {
        "feature": pl.UInt32,
        "label": pl.String,
        "kind": pl.String,
        "verdict": pl.String,
        "concept": pl.String,
        "evidence": pl.String,
        "n": pl.UInt32,
        "n_with": pl.UInt32,
        "rate": pl.Float64,
        "base_rate": pl.Float64,
        "lift": pl.Float64,
        "published_type": pl.String,
    }
)
"""`kind` is `combination` where an operation and a value are both dominant; `concept` and the
numbers are then those of the operation."""


def classify(evidence: Evidence, params: ThresholdParams) -> Classification:
    """Labels by `published_rule` over each feature's top problems; nothing is tested.

    `verdict` is `untested`, so that nobody takes such a label for a finding. `associations` holds
    the counts over the top problems, with rates and base rates, for operations and values.
    """
    top = top_problems(evidence.activations, evidence.problems, params.top)
    on_top = replace(evidence, activations=top.select("problem", "feature", "activation"))
    counted = presence(counts(incidence_of(on_top)))
    shown = counted.filter(pl.col("kind").is_in(["operation", "value"])).select(
        "feature", "concept", "kind", "n_active", "n_active_with", "n_total", "n_with", "rate",
        "base_rate", "lift",
    )  # fmt: skip
    by_feature = shown.partition_by("feature", as_dict=True, maintain_order=True)
    none = shown.clear()
    rows = [
        {"feature": feature, **_label(by_feature.get((feature,), none), params)}
        for feature in evidence.features["feature"]
    ]
    return Classification(labels=pl.DataFrame(rows, schema=SCHEMA), associations=shown)


def _label(counted: pl.DataFrame, params: ThresholdParams) -> dict[str, Any]:
    """The row of one feature, from its counts."""
    n = int(counted["n_active"].max() or 0)  # type: ignore[arg-type]  # a column of integers
    said: dict[str, Any] = {"verdict": "untested", "evidence": "top problems", "n": n}
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


def _counts(counted: pl.DataFrame, kind: str) -> dict[str, int]:
    return dict(counted.filter(kind=kind).select("concept", "n_active_with").iter_rows())


def _said(found: PublishedLabel, counted: pl.DataFrame) -> dict[str, Any]:
    names = [name for name in (found.operation, found.value) if name]
    if not names:
        return {"label": "general", "kind": "general"}
    kinds = {"operation-specialized": "operation", "value-specialized": "value"}
    row = counted.row(by_predicate=pl.col("concept") == names[0], named=True)
    numbers = {name: row[name] for name in ("concept", "rate", "base_rate", "lift")}
    kind = kinds.get(found.type, "combination")
    return {"label": " and ".join(names), "kind": kind, "n_with": row["n_active_with"], **numbers}
