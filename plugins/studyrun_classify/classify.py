"""The step `classify`: concepts bound and counted, a classifier called, its labels stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from studyrun import Bound, Classification, Concept, Context, Evidence, Inputs, Result, StudyError
from studyrun_classify.distribution import distribution
from studyrun_classify.evidence import evidence_of, labelled_problems
from studyrun_classify.features import top_problems
from studyrun_classify.params import ClassifyParams
from studyrun_classify.ranks import Ranks, faults, parse

__all__ = ["COLUMNS", "labels_table", "run"]

FEATURE = ("feature", "rank", "n_active", "n_total", "frequency", "mean_abs_activation",
           "mean_abs_when_active")  # fmt: skip
COLUMNS: dict[str, type[pl.DataType]] = {
    "label": pl.String,
    "kind": pl.String,
    "verdict": pl.String,
    "concept": pl.String,
    "test": pl.String,
    "evidence": pl.String,
    "n": pl.UInt32,
    "n_with": pl.UInt32,
    "rate": pl.Float64,
    "expected_rate": pl.Float64,
    "base_rate": pl.Float64,
    "lift": pl.Float64,
    "auroc": pl.Float64,
    "log_odds": pl.Float64,
    "ci_low": pl.Float64,
    "ci_high": pl.Float64,
    "q": pl.Float64,
    "n_needed": pl.Int64,
}
"""What `labels` holds besides what is known of the feature itself; a classifier that does not give
a column leaves it null, and may add others after them."""


def run(params: ClassifyParams, inputs: Inputs, context: Context) -> Result:
    """Label every feature of the SAE.

    Raises:
        StudyError: no problem of the split was encoded, a rank range ends beyond the SAE, a concept
            is no yes/no property, or the classifier did not return one row per feature.
    """
    acts, table = inputs["feature-acts"], inputs["problems"].table
    ranges = _ranges(params.ranks, acts.meta["d_sae"])
    problems = labelled_problems(table, acts.read_table("rows"), params.split)
    concepts = [
        c for ref in params.concepts for c in _concepts(context.bind("concept", ref), problems)
    ]
    evidence = evidence_of(problems, acts, concepts, context.seed)
    classifier = context.bind("classifier", params.classifier)
    found: Classification = classifier.load()(evidence, classifier.params)
    labels = labels_table(evidence, found.labels, classifier.component.name)
    return Result(
        tables={
            "table": labels,
            "associations": found.associations,
            "distribution": distribution(labels, ranges),
            "top_problems": top_problems(evidence.activations, problems, params.top),
        },
        meta=_meta(params, acts.meta, evidence, classifier, ranges),
    )


def _ranges(texts: Sequence[str], d_sae: int) -> list[Ranks]:
    """The study's ranges, or one over all features.

    Raises:
        StudyError: one is reversed, overlaps another or ends beyond d_sae.
    """
    wrong = [message for _, message in faults(texts, d_sae)]
    if wrong:
        raise StudyError("ranks: " + "; ".join(wrong))
    return [parse(text) for text in texts] or [Ranks(1, d_sae)]


def _concepts(source: Bound, problems: pl.DataFrame) -> list[Concept]:
    concepts: list[Concept] = source.load()(problems, source.params)
    return concepts


def labels_table(evidence: Evidence, labels: pl.DataFrame, classifier: str) -> pl.DataFrame:
    """The labels with what is known of each feature, rank 1 first, all `COLUMNS` present.

    Raises:
        StudyError: there is not exactly one row per feature, or a column is missing.
    """
    missing = [
        name for name in ("feature", "label", "kind", "verdict") if name not in labels.columns
    ]
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
    return known.select(FEATURE).join(said, on="feature", how="left", maintain_order="left")


def _with_all_columns(labels: pl.DataFrame) -> pl.DataFrame:
    standard = [
        (pl.col(name) if name in labels.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in COLUMNS.items()
    ]
    extra = [name for name in labels.columns if name not in (*COLUMNS, *FEATURE)]
    return labels.select("feature", *standard, *extra)


def _meta(
    params: ClassifyParams,
    acts: Any,
    evidence: Evidence,
    classifier: Bound,
    ranges: Sequence[Ranks],
) -> dict[str, Any]:
    return {
        "split": params.split,
        "n_problems": evidence.problems.height,
        "d_sae": acts["d_sae"],
        "layer": acts.get("layer"),
        "position": acts.get("position"),
        "ranks": [str(ranks) for ranks in ranges],
        "classifier": f"{classifier.component.name} {classifier.component.version}",
        "concepts": len(evidence.concepts),
    }
