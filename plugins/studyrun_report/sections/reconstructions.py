"""Reconstructions: what edits change of the reconstruction, outside the model."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from studyrun_report.blocks import Block, Figure
from studyrun_report.drawing.effect_charts import effects_chart
from studyrun_report.effects.edits import FEW, by_size, edit_specs
from studyrun_report.effects.quantities import MEASURE
from studyrun_report.labelling import link_to
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, first_of, table_of
from studyrun_report.writing.text import harmless, number

__all__ = ["reconstruction"]

SPECS = (
    Spec("n_active", "Active", "count", "Problems that the edit touches"),
    Spec(MEASURE, "Mean |change|", "number",
         "Mean absolute change of the reconstruction over all problems and dimensions, with its "
         "interval", ends=("ci_low", "ci_high")),
    Spec("max_abs_diff", "Largest |change|", "number"),
    Spec("relative_l2_diff", "Relative change", "share",
         "Mean norm of the change / mean norm of the activations"),
    Spec("control_mean", "Control", "number",
         "The same edit of other features, alike in frequency and strength: their mean |change| "
         "and its central part", ends=("control_ci_low", "control_ci_high")),
    Spec("control_percentile", "Controls below", "share",
         "Share of the controls with a smaller change"),
    Spec("random_mean", "Random", "number",
         "Changes of the same norm in random directions: their mean |change| and its central part",
         ends=("random_ci_low", "random_ci_high")),
)  # fmt: skip
CHARTED_EDITS = 25
BARS = {
    "its controls": ("control_ci_low", "control_ci_high"),
    "random directions of the same norm": ("random_ci_low", "random_ci_high"),
}
"""What the points are compared with: the first of these that is there."""


def reconstruction(source: Source, stored: Stored, edits: pl.DataFrame) -> Iterator[Block]:
    """The table and its picture, where the step measured it."""
    if MEASURE not in edits.columns:
        return
    shown = by_size(edits, MEASURE).head(source.params.edits)
    identity = f"{stored.slug}-{MEASURE.replace('_', '-')}"
    caption = harmless(f"{stored.step}: change of the reconstruction")
    specs = (*edit_specs(edits, link_to(source, stored)), *SPECS)
    note = "The largest come first." if edits.height > FEW else ""
    table = table_of(shown, specs, id=identity, caption=caption, note=note)
    yield first_of(table, edits.height)
    yield from _picture(stored, shown)


def _picture(stored: Stored, shown: pl.DataFrame) -> Iterator[Figure]:
    for against, ends in BARS.items():
        if {*ends} <= set(shown.columns):
            frame = _drawn(shown, *ends)
            if frame.height:
                yield _figure(stored, frame, against)
                return


def _drawn(shown: pl.DataFrame, low: str, high: str) -> pl.DataFrame:
    """(edit, value, control_low, control_high) of edits of which all are known."""
    ends = {"control_low": pl.col(low), "control_high": pl.col(high)}
    frame = shown.select(edit="name_scaled", value=MEASURE, **ends)
    return frame.filter(pl.all_horizontal(pl.exclude("edit").is_finite())).head(CHARTED_EDITS)


def _figure(stored: Stored, frame: pl.DataFrame, against: str) -> Figure:
    above = frame.filter(pl.col("value") > pl.col("control_high")).height
    values = frame["value"].to_list()
    alt = (
        f"{frame.height} edits, each a point on a bar: the point is its mean absolute change, the "
        f"bar the central part of {against}. {above} of {frame.height} points lie above "
        f"their bar. The largest change is {number(max(values))}, the smallest "
        f"{number(min(values))}."
    )
    step = harmless(stored.step)
    caption = f"{step}: change of the reconstruction (points) and {against} (bars)"
    chart = effects_chart(frame, "Mean |change| of the reconstruction")
    return Figure(f"{stored.slug}-picture", caption, alt, chart)
