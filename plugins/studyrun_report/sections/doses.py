"""Doses: what edits change with how much of them is made."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from studyrun_report.blocks import Figure
from studyrun_report.drawing.effect_charts import DOSES, dose_chart
from studyrun_report.effects.edits import groups, measured, scales, was_measured
from studyrun_report.effects.quantities import Quantity, quantity
from studyrun_report.source import Stored
from studyrun_report.writing.tables import WRITERS
from studyrun_report.writing.text import exact, harmless

__all__ = ["doses"]

FIRST = ("kl", "answer_changed")
"""What is drawn, where it was measured."""


def doses(stored: Stored, edits: pl.DataFrame) -> Iterator[Figure]:
    """A line for each of the largest edits over the scale, where there are several scales."""
    if len(scales(edits)) < 2:
        return
    there = [name for name in FIRST if was_measured(edits, name)]
    others = [name for group in groups(edits) for name in group.main if was_measured(edits, name)]
    for name in there or others[:1]:
        of = quantity(name)
        found = _largest(measured(stored, edits, of))
        if found.height:
            yield _figure(stored, of, found)


def _largest(found: pl.DataFrame) -> pl.DataFrame:
    """(name, scale, size, random) of the edits whose size is largest at any scale."""
    known = found.filter(pl.col("size").is_finite(), pl.col("scale").is_not_null())
    first = (
        known.group_by("name", maintain_order=True)
        .agg(pl.col("size").max(), pl.len())
        .filter(pl.col("len") > 1)
        .sort("size", descending=True, maintain_order=True)
        .head(DOSES)
    )
    kept = known.join(first.select("name"), on="name", how="semi")
    random = pl.when(pl.col("random").is_finite()).then("random")
    return kept.select("name", "scale", "size", random=random).sort("name", "scale")


def _figure(stored: Stored, of: Quantity, found: pl.DataFrame) -> Figure:
    write = WRITERS[of.form]
    said = []
    for (name,), own in found.group_by("name", maintain_order=True):
        first, last = own.row(0, named=True), own.row(-1, named=True)
        ends = [
            f"{write(row['size'])} at scale {exact(row['scale'])}{_beside(row['random'], of)}"
            for row in (first, last)
        ]
        said.append(f"{name} from {' to '.join(ends)}")
    lines = f"{len(said)} line{'s' * (len(said) > 1)}"
    alt = harmless(f"{lines} over the scale of the edit: {'; '.join(said)}.", 2000)
    random = ", with random directions dashed" if found["random"].is_not_null().any() else ""
    step = harmless(stored.step)
    caption = f"{step}: {of.title} by how much of the edit is made{random}"
    chart = dose_chart(found, f"{of.title}, mean size", share=of.form == "share")
    return Figure(f"{stored.slug}-dose-{of.name}", caption, alt, chart)


def _beside(random: float | None, of: Quantity) -> str:
    return "" if random is None else f" (random direction {WRITERS[of.form](random)})"
