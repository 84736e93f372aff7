"""Neighbours: the features most like a feature, and those that are active together with it."""

from __future__ import annotations

import polars as pl

from studyrun_report.labelling import Labelling
from studyrun_report.pages.parts import Part, by_feature
from studyrun_report.writing.tables import Spec
from studyrun_report.writing.text import harmless

__all__ = ["neighbours", "partners"]

MOST = 5
PAIR = ("feature", "other", "n_both", "expected", "phi", "q", "verdict")


def neighbours(of: Labelling) -> Part | None:
    """The features whose decoder directions are nearest."""
    if of.portraits is None:
        return None
    near = of.portraits.having("neighbours", "feature", "place", "neighbour", "cosine")
    if near is None:
        return None
    first = near.sort("feature", "place").group_by("feature", maintain_order=True).head(MOST)
    specs = (
        Spec("neighbour", "Feature", "count", link=of.link, beneath=("label", "text", "{}")),
        Spec("cosine", "Cosine", "number", "Of the two decoder directions"),
    )
    named = of.named(first, on="neighbour")
    caption = "Nearest features by decoder direction"
    return by_feature(named, specs, name="neighbours", caption=caption)


def partners(of: Labelling) -> Part | None:
    """The features that are active on the same problems more often than by chance."""
    if of.coactivation is None:
        return None
    pairs = of.coactivation.having("table", *PAIR)
    if pairs is None:
        return None
    together = pairs.filter(pl.col("verdict") == "together")
    first = (
        _both_ways(together)
        .sort("phi", descending=True, nulls_last=True, maintain_order=True)
        .group_by("feature", maintain_order=True)
        .head(MOST)
    )
    if first.is_empty():
        return None
    specs = (
        Spec("other", "Feature", "count", link=of.link, beneath=("label", "text", "{}")),
        Spec("phi", "Phi", "number", "Correlation of being active, -1 to 1"),
        Spec("n_both", "Together", "count", "Problems on which both are active"),
        Spec("expected", "Expected", "average", "So many if they did not know of each other; below "
             "it so many among comparable problems",
             beneath=("expected_alike", "average", "alike {}")),
        Spec("q", "q", "probability", beneath=("q_alike", "probability", "alike {}")),
    )  # fmt: skip
    named = of.named(first, on="other")
    caption = f"Active together beyond chance, on {of.coactivation.problems}"
    return by_feature(named, specs, name="together", caption=harmless(caption))


def _both_ways(pairs: pl.DataFrame) -> pl.DataFrame:
    """Each pair once for either feature, with what is symmetric."""
    told = [name for name in (*PAIR, "expected_alike", "q_alike") if name in pairs.columns]
    kept = pairs.select(told)
    turned = kept.rename({"feature": "other", "other": "feature"}).select(told)
    return pl.concat([kept, turned]).unique(["feature", "other"], maintain_order=True)
