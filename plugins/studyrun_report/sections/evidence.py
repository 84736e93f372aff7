"""Evidence: answers before and after the edits that change most of them."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from studyrun_report.blocks import Block, Text
from studyrun_report.effects.edits import was_measured
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, first_of, table_of
from studyrun_report.writing.text import harmless

__all__ = ["evidence"]

OUTCOMES = ("edit", "problem", "arm", "answer", "expected", "before", "after")
LARGEST = 3
"""Edits of which answers are shown."""
RUN = ("edit", "problem")
SPECS = (
    Spec("name_scaled", "Edit"),
    Spec("id", "Problem"),
    Spec("before", "Before"),
    Spec("after", "After"),
    Spec("random_after", "Random", about="The answer with a random direction of the same norm"),
    Spec("answer", "Right", "exact", "The right answer"),
    Spec("expected", "Expected", "exact", "The answer that the edit should bring about"),
)


def evidence(source: Source, stored: Stored, edits: pl.DataFrame) -> Iterator[Block]:
    """A few answers that changed, or that none did."""
    outcomes = stored.having("answer_outcomes", *OUTCOMES)
    if outcomes is None:
        return
    own = outcomes.filter(pl.col("arm") == "edit")
    changed = own.filter(pl.col("before") != pl.col("after"))
    if changed.is_empty():
        if own.height:
            yield Text(
                f"{harmless(stored.step)}: none of {own.height} edited runs has another answer, so "
                "there is none to show."
            )
        return
    some = _named(source, _largest(edits, changed, outcomes))
    shown = some.group_by("edit", maintain_order=True).head(source.params.top_problems)
    if shown.is_empty():
        return
    several = edits.height > 1
    by = ", of the edits with the largest effect on answers" if several else ""
    caption = harmless(f"{stored.step}: some answers that changed{by}")
    specs = SPECS if several else SPECS[1:]
    identity = f"{stored.slug}-outcomes"
    table = table_of(shown, specs, id=identity, caption=caption, folded=True)
    yield first_of(table, some.height)


def _largest(edits: pl.DataFrame, changed: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
    """The changed answers of the edits with the largest effect on answers, edit after edit."""
    by = next((n for n in ("answer_towards", "answer_changed") if was_measured(edits, n)), None)
    size = pl.col(by).fill_nan(None) if by else pl.lit(None, pl.Float64)
    ranked = edits.select("edit", "name_scaled", size=size).cast({"edit": changed.schema["edit"]})
    ranked = ranked.join(changed.select("edit"), on="edit", how="semi", maintain_order="left")
    first = ranked.sort("size", descending=True, nulls_last=True, maintain_order=True)
    turned = outcomes.filter(pl.col("arm") == "random").select(*RUN, random_after="after")
    return (
        first.head(LARGEST)
        .join(changed, on="edit", how="inner", maintain_order="left_right")
        .join(turned.unique(RUN, keep="first"), on=RUN, how="left", maintain_order="left")
    )


def _named(source: Source, some: pl.DataFrame) -> pl.DataFrame:
    """With `id`, what the problem is called; its number where that is not known."""
    data = next((each for each in source.of_type("problems") if each.has("id")), None)
    if data is None or data.table is None:
        return some.with_columns(id=pl.col("problem").cast(pl.String))
    ids = data.table.select(pl.col("id").cast(pl.String)).with_row_index("problem")
    ids = ids.cast({"problem": some.schema["problem"]})
    named = some.join(ids, on="problem", how="left", maintain_order="left")
    return named.with_columns(id=pl.coalesce("id", pl.col("problem").cast(pl.String)))
