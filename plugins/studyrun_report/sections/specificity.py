"""Specificity: whether a labelled feature's edit acts more where its concept holds."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from studyrun_classify.kinds import is_labelled
from studyrun_report.blocks import Block, Section, Table, Text
from studyrun_report.effects.edits import alpha, edit_specs, groups, identified, was_measured
from studyrun_report.effects.quantities import quantity
from studyrun_report.labelling import link_to
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, first_of, table_of
from studyrun_report.writing.text import exact, harmless

__all__ = ["section"]

SIDE = 5
"""So many problems on which the edit acts are needed with the concept, and as many without."""
MOST = 20
NEEDED = ("edit", "quantity", "place", "n", "concept", "with_n", "with_size", "without_size",
          "specificity", "specific_difference", "specific_low", "specific_high",
          "specific_q")  # fmt: skip
TABLE = (
    Spec("title", "Quantity"),
    Spec("with_n", "Problems", "count", "Problems with the concept on which the edit acts",
         beneath=("without_n", "count", "{} without"), group="With the concept"),
    Spec("with_size", "Size", "number", "Mean size of the effect on these",
         group="With the concept"),
    Spec("without_size", "Without it", "number", "Mean size of the effect on the others"),
    Spec("specificity", "Ratio", "number", "Size with the concept / size without it"),
    Spec("specific_difference", "Difference", "number",
         "Size with the concept - size without it, with its interval",
         ends=("specific_low", "specific_high")),
    Spec("specific_q", "q", "probability",
         "Of exchanging which problems have the concept, after Benjamini-Hochberg"),
)  # fmt: skip


def section(source: Source) -> Section | None:
    """The labelled edits of every step that has enough of both kinds of problems."""
    blocks = tuple(
        block for stored in source.of_type("effects") for block in _blocks(source, stored)
    )
    lead = (
        "If the model uses a feature for what it is labelled with, editing it changes more on "
        "problems that have the concept than on others."
    )
    return Section("specificity", "Specificity", blocks, lead) if blocks else None


def _blocks(source: Source, stored: Stored) -> Iterator[Block]:
    table, summary = stored.table, stored.having("effects_by_feature", *NEEDED)
    if table is None or table.is_empty() or summary is None:
        return
    names = [name for group in groups(table) for name in group.main if was_measured(table, name)]
    known = summary.filter(
        pl.col("quantity").is_in(names),
        pl.col("place") == "",
        pl.col("concept").is_not_null(),
        pl.col("edit").is_in(_labelled(table)),
    )
    if known.is_empty():
        return
    without = pl.col("n").cast(pl.Int64) - pl.col("with_n").cast(pl.Int64)
    enough = known.with_columns(without_n=without).filter(
        pl.col("with_n") >= SIDE, pl.col("without_n") >= SIDE
    )
    something = enough.filter((pl.col("with_size") > 0) | (pl.col("without_size") > 0))
    yield Text(harmless(_sentence(source, stored, known, enough, something), 1000))
    if something.height:
        yield _table(stored, table, something, link_to(source, stored))


def _table(stored: Stored, table: pl.DataFrame, something: pl.DataFrame, link: str) -> Table:
    """The most certain differences first."""
    edits = identified(table).cast({"edit": something.schema["edit"]})
    told = [name for name in edits.columns if name == "edit" or name not in something.columns]
    ranked = something.sort("specific_q", nulls_last=True, maintain_order=True).join(
        edits.select(told), on="edit", how="left", maintain_order="left"
    )
    titles = {name: quantity(name).title for name in ranked["quantity"].unique()}
    titled = ranked.with_columns(title=pl.col("quantity").replace(titles)).head(MOST)
    head = [spec for spec in edit_specs(edits, link) if spec.name != "rank"]
    caption = harmless(f"{stored.step}: effects with and without the concept of the label")
    identity = f"{stored.slug}-specificity"
    return first_of(table_of(titled, (*head, *TABLE), id=identity, caption=caption), ranked.height)


def _labelled(table: pl.DataFrame) -> list[int]:
    """The edits whose feature, or whose pair's first one, has a label; all where nobody says."""
    numbered = table.with_row_index("edit")
    known = numbered.filter(is_labelled()) if "kind" in table.columns else numbered
    return known["edit"].to_list()


def _sentence(
    source: Source,
    stored: Stored,
    known: pl.DataFrame,
    enough: pl.DataFrame,
    something: pl.DataFrame,
) -> str:
    """How many edits can be asked, and how many act differently where their concept holds."""
    level = alpha(source, stored)
    labelled, asked = (each["edit"].n_unique() for each in (known, enough))
    sure = something.filter(pl.col("specific_q") < level)["edit"].n_unique()
    act = f"act on {SIDE} problems with their concept and on {SIDE} without it"
    many = f"{stored.step}: {asked} of {labelled} labelled edits {act}"
    if not asked:
        return f"{many}."
    if something.is_empty():
        return f"{many}; nothing that was measured changes on any of them."
    differ = f"of {sure} of them" if sure else "of none of them"
    return f"{many}; {differ} the effect differs between the two, q below {exact(level)}."
