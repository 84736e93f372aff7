"""Limits: what could not be said, and how many problems it would take."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from studyrun_report.blocks import Block, Section, Text
from studyrun_report.sections.verdicts import verdicts
from studyrun_report.source import Source, Stored
from studyrun_report.tables import Spec, first_of, table_of
from studyrun_report.text import harmless

__all__ = ["section"]

SHOWN = 20
INSUFFICIENT = (
    Spec("feature", "Feature", "count"),
    Spec("rank", "Rank", "count"),
    Spec("concept", "Closest concept", about="The undecided concept with the smallest p-value"),
    Spec("n_active", "Active", "count", "Problems on which it is active"),
    Spec("rate", "Rate", "share", "Share of them that have the concept", of="n_with/n"),
    Spec("expected_rate", "Expected", "share", "The rate expected of comparable problems"),
    Spec("base_rate", "Base rate", "share"),
    Spec("q", "q", "probability"),
    Spec("n_needed", "Active needed", "count",
         "Active problems needed to find the observed effect, or the smallest one that makes a "
         "label, with the power that the study asks for"),
    Spec("problems_needed", "Problems needed", "count",
         "As many problems as would make the feature active so often, at its frequency"),
)  # fmt: skip


def section(source: Source) -> Section:
    """Everything that was insufficient, inconclusive or left out."""
    blocks = (
        *_inconclusive(source),
        *(block for stored in source.of_type("labels") for block in _features(source, stored)),
        *_without_edits(source),
        *_left_out(source),
    )
    nothing = Text("Nothing was insufficient, inconclusive or left out.")
    return Section("limits", "Limits", blocks or (nothing,))


def _inconclusive(source: Source) -> Iterator[Text]:
    for found in verdicts(source):
        if found.verdict == "inconclusive":
            evidence = f" ({found.evidence})" if found.evidence else ""
            why = f"{found.reason}{evidence}"
            yield Text(f"The hypothesis {found.hypothesis} is inconclusive: {why}.")


def _features(source: Source, stored: Stored) -> Iterator[Block]:
    if not stored.has("feature", "kind", "n_active", "n_total", "n_needed") or stored.table is None:
        return
    short = stored.table.filter(pl.col("kind") == "insufficient")
    if short.is_empty():
        return
    silent = short.filter(pl.col("n_active") == 0).height
    never = f"; {silent} of them are active on no problem" if silent else ""
    count = f"For {short.height} of {stored.table.height} features there are too few problems"
    yield Text(source.named(stored, f"{count} to say what they encode{never}") + ".")
    active = short.filter(pl.col("n_active") > 0).with_columns(problems_needed=_problems_needed())
    order = [name for name in ("q", "n_needed", "feature") if name in active.columns]
    first = active.sort(order, nulls_last=True).head(SHOWN)
    caption = source.named(stored, "Features with too few problems, closest to a label first")
    table = table_of(first, INSUFFICIENT, id=f"{stored.slug}-insufficient", caption=caption)
    yield first_of(table, active.height)


def _problems_needed() -> pl.Expr:
    """Problems with which so many would be active, at the frequency seen."""
    needed = pl.col("n_needed") * pl.col("n_total") / pl.col("n_active")
    return needed.ceil().cast(pl.Int64)


def _without_edits(source: Source) -> Iterator[Text]:
    for stored in source.of_type("effects"):
        reason = stored.artifact.meta.get("reason")
        if reason and stored.table is not None and stored.table.is_empty():
            yield Text(f"{harmless(stored.step)} made no edit: {harmless(reason)}.")


def _left_out(source: Source) -> Iterator[Text]:
    for name, what in (
        ("malformed", "parts of problems could not be read"),
        ("excluded", "problems were left out because the model could not take them"),
    ):
        for stored in source.stored:
            frame = stored.other(name)
            if frame is not None and frame.height:
                table = harmless(f"{stored.step}_{name}")
                yield Text(f"{frame.height} {what}; they are listed in the table {table}.")
