"""Differences: the features of which classifiers say what cannot both be so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from studyrun_report.blocks import Table
from studyrun_report.labelling import link_to
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, first_of, linked, table_of
from studyrun_report.writing.text import harmless

__all__ = ["differences"]

FEW, NOTHING, LABELS = "label, too few problems", "label, nothing found", "different labels"
WAYS = {FEW: 0, NOTHING: 1, LABELS: 2}
"""How classifiers differ on a feature, the worst first."""
EXAMPLES = 5
"""Features shown of each way to differ."""
EVIDENCE = (
    Spec("rate", "Rate", "share",
         "Share of the feature's problems that have the concept of the study's own classifier",
         of="n_with/n"),
    Spec("base_rate", "Base rate", "share", "Share of all problems that have it"),
    Spec("n_needed", "Needed", "count",
         "Active problems with which the study's own classifier would find it"),
)  # fmt: skip
BEFORE = (
    Spec("feature", "Feature", "count"),
    Spec("way", "They say"),
    Spec("n_active", "Active", "count", "Problems on which it is active"),
)


def differences(source: Source, stored: Stored, answers: pl.DataFrame) -> Iterator[Table]:
    """Some features of each way to differ: of too few problems the fewest, of others the most.

    Args:
        source: the study.
        stored: the labelling.
        answers: (feature, classifier, label, kind, verdict, labelled).
    """
    ways = _ways(answers)
    if ways.is_empty():
        return
    names = answers["classifier"].unique(maintain_order=True).to_list()
    every = _with_evidence(ways, stored.having("table", "feature"))
    shown = every.group_by("way", maintain_order=True).head(EXAMPLES)
    wide = shown.join(_side_by_side(answers, names), on="feature", maintain_order="left")
    caption = source.named(stored, "Features on which the classifiers differ most")
    specs = linked((*BEFORE, *_specs(names), *EVIDENCE), link_to(source, stored))
    table = table_of(wide, specs, id=f"{stored.slug}-differences", caption=caption)
    yield first_of(table, every.height)


def _ways(answers: pl.DataFrame) -> pl.DataFrame:
    """(feature, way, labels): the worst way in which classifiers differ, and how many label it."""
    labelled, few = pl.col("labelled"), pl.col("kind") == "insufficient"
    way = (
        pl.when(~labelled.any())
        .then(None)
        .when(few.any())
        .then(pl.lit(FEW))
        .when(~labelled.all())
        .then(pl.lit(NOTHING))
        .when(pl.col("label").n_unique() > 1)
        .then(pl.lit(LABELS))
    )
    return answers.group_by("feature").agg(way=way, labels=labelled.sum()).drop_nulls("way")


def _with_evidence(ways: pl.DataFrame, labels: pl.DataFrame | None) -> pl.DataFrame:
    """With what the study's own classifier knows of each feature, the plainest cases first."""
    place = (pl.col("way").replace_strict(WAYS, return_dtype=pl.Int64), -pl.col("labels").cast(int))
    if labels is None or "n_active" not in labels.columns:
        return ways.sort(*place, "feature")
    extra = [spec.name for spec in (*BEFORE, *EVIDENCE) if spec.name in labels.columns]
    counts = [name for name in ("n", "n_with") if name in labels.columns]
    known = labels.select(*extra, *counts).cast({"feature": ways.schema["feature"]})
    active = pl.col("n_active").cast(pl.Int64)
    plain = pl.when(pl.col("way") == FEW).then(active).otherwise(-active)
    joined = ways.join(known, on="feature", how="left")
    return joined.sort(*place, plain, "feature", nulls_last=True)


def _side_by_side(answers: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """(feature, label:<classifier>, kind:<classifier>, ...); a verdict where there is no label."""
    wide = answers.select("feature").unique()
    silent = pl.when(pl.col("verdict") != pl.col("label")).then("verdict")
    kind = pl.when("labelled").then("kind").otherwise(silent)
    for name in names:
        own = answers.filter(pl.col("classifier") == name)
        said = {f"label:{name}": pl.col("label"), f"kind:{name}": kind}
        wide = wide.join(own.select("feature", **said), on="feature", how="left")
    return wide


def _specs(names: Sequence[str]) -> list[Spec]:
    return [
        Spec(f"label:{name}", harmless(name, 60), beneath=(f"kind:{name}", "text", "{}"))
        for name in names
    ]
