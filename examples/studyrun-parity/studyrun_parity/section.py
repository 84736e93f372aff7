"""The section `even-features`: which features tell even answers from odd ones?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from studyrun import ColumnTitle, Paragraph, Picture, Rows, Section

if TYPE_CHECKING:
    from studyrun import Findings
    from studyrun_parity.params import EvenFeatures

__all__ = ["even_features"]

NEEDED = {"feature", "concept", "kind", "n_active", "rate", "base_rate", "lift"}
COLUMNS = (
    ColumnTitle("feature", "Feature", "count"),
    ColumnTitle("concept", "Answer"),
    ColumnTitle("rate", "Where active", "share", "The share of the feature's active problems."),
    ColumnTitle("base_rate", "Everywhere", "share", "The share of all problems."),
    ColumnTitle("lift", "Lift", "number", "How many times more frequent: the ratio of the two."),
    ColumnTitle("n_active", "Active on", "count", "Problems."),
)


def even_features(params: EvenFeatures, findings: Findings) -> Section | None:
    """The features with the largest lift for a parity; None where no labels asked for one."""
    found = [_told(findings.table(f"{step}_associations")) for step in _labels(findings)]
    told = [table for table in found if table is not None and table.height]
    if not told:
        return None
    strongest = pl.concat(told).sort("lift", "feature", descending=[True, False]).head(params.top)
    return Section(
        "Even and odd answers",
        (Paragraph(_sentence(strongest)), Rows(strongest, "By lift", COLUMNS), _picture(strongest)),
        lead="How often a feature's problems have an even answer; a rule, not a test.",
    )


def _labels(findings: Findings) -> list[str]:
    """The steps that labelled features."""
    every = findings.artifacts.items()
    return [step for step, artifact in every if artifact.manifest.type == "labels"]


def _told(associations: pl.DataFrame | None) -> pl.DataFrame | None:
    """The associations with a parity, where the classifier gives all that is shown."""
    if associations is None or not NEEDED.issubset(associations.columns):
        return None
    return associations.filter(pl.col("kind") == "parity").select(
        *(column.name for column in COLUMNS)
    )


def _sentence(strongest: pl.DataFrame) -> str:
    first = strongest.row(0, named=True)
    return (
        f"Feature {first['feature']} tells most: {first['concept']} on {first['rate']:.0%} of its "
        f"{first['n_active']} problems, and on {first['base_rate']:.0%} of all."
    )


def _picture(strongest: pl.DataFrame) -> Picture:
    named = strongest.with_columns(
        name=pl.format(
            "{}, {}", pl.col("feature"), pl.col("concept").str.strip_prefix("answer is ")
        )
    )
    bars = alt.Chart(named).mark_bar().encode(
        x=alt.X("lift:Q", title="Lift"), y=alt.Y("name:N", sort=None, title="Feature, answer")
    )  # fmt: skip
    return Picture(bars, "Lift of the strongest", f"Bars of the lift of {named.height} features.")
