"""Shortfalls: effects of which too few problems are known, and how many it would take."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from studyrun_report.blocks import Block, Table, Text
from studyrun_report.effects.edits import edit_specs, groups, identified, measured, was_measured
from studyrun_report.effects.quantities import quantity
from studyrun_report.labelling import link_to
from studyrun_report.sections.effect_tables import middle
from studyrun_report.sections.swap_protocol import inconclusive
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, first_of, table_of
from studyrun_report.writing.text import harmless

__all__ = ["shortfalls"]

SHOWN = 20
PAIRS = 10
TABLE = (
    Spec("title", "Quantity"),
    Spec("n_run", "Run", "count", "Problems run on which the edit acts"),
    Spec("size", "Size", "number", "Mean size of the effect on these"),
    Spec("random", "Random", "number", "The same in a random direction"),
    Spec("n_needed", "Needed", "count",
         "Problems on which the edit acts that it takes to tell the two apart; below it how many "
         "times those that were run", beneath=("times", "number", "{} times as many")),
)  # fmt: skip


def shortfalls(source: Source) -> Iterator[Block]:
    """Of every step the insufficient effects, and the pairs of which nothing can be said."""
    for stored in source.of_type("effects"):
        yield from _effects(stored, link_to(source, stored))
        said = list(inconclusive(stored))
        for sentence in said[:PAIRS]:
            yield Text(sentence)
        if len(said) > PAIRS:
            more = f"{len(said) - PAIRS} more pairs are inconclusive"
            yield Text(harmless(f"{stored.step}: {more}; they are in the table of the protocol."))


def _effects(stored: Stored, link: str) -> Iterator[Block]:
    if stored.table is None or stored.table.is_empty():
        return
    edits = identified(stored.table)
    short = []
    for name in (name for group in groups(edits) for name in group.main):
        if was_measured(edits, name):
            own = measured(stored, edits, quantity(name))
            own = own.filter(pl.col("verdict") == "insufficient")
            if own.height:
                yield Text(harmless(_sentence(stored, name, own, edits.height)))
                short.append(own.with_columns(title=pl.lit(quantity(name).title)))
    if short:
        yield from _table(stored, edits, pl.concat(short), link)


def _sentence(stored: Stored, name: str, own: pl.DataFrame, total: int) -> str:
    n = middle(own["n_needed"])
    takes = "" if n is None else f"; it would take {n} problems on which they act, in the median"
    title = quantity(name).title
    return (
        f"{stored.step}: for {own.height} of {total} edits there are too few problems to say "
        f"whether they have an effect ({title}){takes}."
    )


def _table(stored: Stored, edits: pl.DataFrame, short: pl.DataFrame, link: str) -> Iterator[Table]:
    """Those of which it is known what they need, the closest first."""
    known = short.filter(pl.col("n_needed").is_finite())
    if known.is_empty():
        return
    run = pl.col("n_run") if "n_run" in known.columns else pl.lit(None, pl.UInt32)
    needed = pl.col("n_needed").ceil().cast(pl.Int64)
    timed = known.with_columns(needed, times=pl.when(run > 0).then(needed / run))
    closest = timed.sort("times", "n_needed", nulls_last=True, maintain_order=True)
    caption = harmless(f"{stored.step}: insufficient effects, the closest to a verdict first")
    identity = f"{stored.slug}-shortfalls"
    specs = (*edit_specs(edits, link), *TABLE)
    table = table_of(closest.head(SHOWN), specs, id=identity, caption=caption, folded=True)
    yield first_of(table, known.height)
