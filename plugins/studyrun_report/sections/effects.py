"""Effects: what editing features changes, each beside its control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from studyrun_report.blocks import Block, Figure, Section, Text
from studyrun_report.charts import effects_chart
from studyrun_report.source import Source, Stored
from studyrun_report.tables import WIDEST, Spec, first_of, plain_specs, table_of
from studyrun_report.text import harmless, number

__all__ = ["section"]

EDIT = (
    Spec("feature", "Feature", "count"),
    Spec("feature_b", "With feature", "count"),
    Spec("rank", "Rank", "count"),
    Spec("label", "Label"),
    Spec("label_b", "Other label"),
    Spec("n_active", "Active", "count", "Problems that the edit touches"),
)
RECONSTRUCTION = (
    Spec("mean_abs_diff", "Mean |change|", "number",
         "Mean absolute change of the reconstruction over all problems and dimensions, with its "
         "95 % interval", ends=("ci_low", "ci_high")),
    Spec("max_abs_diff", "Largest |change|", "number"),
    Spec("relative_l2_diff", "Relative change", "share",
         "Mean norm of the change / mean norm of the activations"),
    Spec("control_mean", "Control", "number",
         "The same edit of other features, alike in frequency and strength: their mean |change| "
         "and its central 95 %", ends=("control_ci_low", "control_ci_high")),
    Spec("control_percentile", "Controls below", "share",
         "Share of the controls with a smaller change"),
)  # fmt: skip
ANSWERS = (
    Spec("answer_n", "Asked", "count", "Problems whose answer was read with the edit in the model"),
    Spec("answer_changed", "Changed", "share",
         "Share of the problems asked whose answer is another one, with its 95 % interval",
         ends=("answer_changed_ci_low", "answer_changed_ci_high")),
    Spec("answer_control_changed", "Control", "share",
         "The same with random directions of the same norm",
         ends=("answer_control_ci_low", "answer_control_ci_high")),
    Spec("answer_right_before", "Right before", "count"),
    Spec("answer_right_after", "Right after", "count"),
)  # fmt: skip
MEASURES = {
    "mean_abs_diff": ("change of the reconstruction", RECONSTRUCTION),
    "answer_changed": ("answers of the model with the edit in it", ANSWERS),
}
"""What an effect measured, by the column that tells that it did."""
CHARTED_EDITS = 25
CHARTED = ("feature", "mean_abs_diff", "control_ci_low", "control_ci_high")


def section(source: Source) -> Section | None:
    """The table, and where there are controls the picture, of every step that made effects."""
    blocks = tuple(
        block for stored in source.of_type("effects") for block in _effects(source, stored)
    )
    lead = (
        "What changes when a feature is edited and everything else is left alone. An effect means "
        "something where it is larger than the same edit of comparable features."
    )
    return Section("effects", "Effects", blocks, lead) if blocks else None


def _effects(source: Source, stored: Stored) -> Iterator[Block]:
    table = stored.table
    if table is None:
        return
    if table.is_empty():
        reason = stored.artifact.meta.get("reason") or "no edit was made"
        yield Text(harmless(f"{stored.step}: {reason}."))
        return
    ranked = table.sort("rank", nulls_last=True, maintain_order=True) if "rank" in table else table
    shown = ranked.head(source.params.edits)
    for name, (what, specs) in _measures(table).items():
        identity = f"{stored.slug}-{_slug(name)}"
        caption = harmless(f"{stored.step}: {what}{_on(stored)}")
        found = table_of(shown, (*EDIT, *specs), id=identity, caption=caption)
        yield first_of(found, table.height)
        if name == "mean_abs_diff":
            yield from _picture(stored, shown)


def _measures(table: pl.DataFrame) -> Mapping[str, tuple[str, Sequence[Spec]]]:
    """The effects that the table holds; its own columns where it holds none that is known."""
    known = {name: measure for name, measure in MEASURES.items() if name in table.columns}
    told = {spec.name for spec in EDIT}
    others = [spec for spec in plain_specs(table) if spec.name not in told][:WIDEST]
    return known or {"effects": ("effects", others)}


def _slug(name: str) -> str:
    return name.replace("_", "-")


def _on(stored: Stored) -> str:
    meta = stored.artifact.meta
    return f", {meta['n']} {meta['split']} problems" if {"n", "split"} <= set(meta) else ""


def _picture(stored: Stored, shown: pl.DataFrame) -> Iterator[Figure]:
    if not stored.has(*CHARTED):
        return
    pair = "feature_b" in shown.columns
    frame = (
        shown.select(
            edit=pl.format("{} and {}", "feature", "feature_b")
            if pair
            else pl.format("{}", "feature"),
            value="mean_abs_diff",
            control_low="control_ci_low",
            control_high="control_ci_high",
        )
        .filter(pl.col("value").is_finite())
        .head(25)
    )
    if frame.is_empty():
        return
    above = frame.filter(pl.col("value") > pl.col("control_high")).height
    values = frame["value"].to_list()
    alt = (
        f"{frame.height} edits, each a point on a bar: the point is its mean absolute change, the "
        f"bar the central 95 % of its controls. {above} of {frame.height} points lie above "
        f"their bar. The largest change is {number(max(values))}, the smallest "
        f"{number(min(values))}."
    )
    step = harmless(stored.step)
    caption = f"{step}: change of the reconstruction (points) and its controls (bars)"
    chart = effects_chart(frame, "Mean |change| of the reconstruction")
    yield Figure(f"{stored.slug}-picture", caption, alt, chart)
