"""Modules: groups of features that fire together."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from studyrun_report.blocks import Table
from studyrun_report.labelling import Labelling
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, first_of, table_of

__all__ = ["modules"]

NEEDED = ("module", "feature", "n_features", "mean_phi")
LISTED = 8
"""Features of a module that are named."""
SHOWN = 20
TABLE = (
    Spec("module", "Module", "count"),
    Spec("n_features", "Features", "count"),
    Spec("mean_phi", "Mean phi", "number",
         "Over its pairs; one that does not fire together counts as 0"),
    Spec("n_labelled", "Labelled", "count", "Features of it that have a label"),
    Spec("labels", "Labels", about="Of its features, the most frequent first"),
    Spec("members", "Which", about="Its features"),
)  # fmt: skip


def modules(source: Source, stored: Stored, of: Labelling | None) -> Iterator[Table]:
    """A row for each, the largest first, with what its features are labelled."""
    found = stored.having("modules", *NEEDED)
    if found is None:
        return
    named = found.with_columns(label=pl.lit(None, pl.String)) if of is None else of.named(found)
    order = ["module", "place"] if "place" in named.columns else ["module"]
    grouped = named.sort(order, maintain_order=True).group_by("module", maintain_order=True)
    rows = grouped.agg(
        pl.col("n_features").first(),
        pl.col("mean_phi").first(),
        n_labelled=pl.col("label").is_not_null().sum(),
        labels=_counted(pl.col("label")),
        members=_listed(pl.col("feature").cast(pl.String)),
    )
    caption = source.named(stored, "Modules: features that fire together")
    specs = [spec for spec in TABLE if spec.name != "n_labelled" or (of and of.labelled)]
    table = table_of(rows.head(SHOWN), specs, id=f"{stored.slug}-modules", caption=caption)
    yield first_of(table, rows.height)


def _counted(labels: pl.Expr) -> pl.Expr:
    """`uses + (3), contains 12`, the most frequent first; null where there is none."""
    counts = labels.drop_nulls().value_counts(sort=True).struct
    name, n = counts.field("label"), counts.field("count")
    several = pl.when(n > 1).then(pl.format("{} ({})", name, n)).otherwise(name)
    text = several.head(LISTED).str.join(", ")
    return pl.when(labels.is_not_null().any()).then(text)


def _listed(names: pl.Expr) -> pl.Expr:
    """`3, 17, 20 and 61 more`."""
    first = names.head(LISTED).str.join(", ")
    more = names.len().cast(pl.Int64) - LISTED
    return pl.when(more > 0).then(pl.format("{} and {} more", first, more)).otherwise(first)
