"""Distribution: which kinds of features stand at which frequency."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from studyrun_report.blocks import Block, Cell, Column, Figure, Section, Table
from studyrun_report.drawing.charts import kinds_chart
from studyrun_report.drawing.palette import ordered
from studyrun_report.source import Source, Stored
from studyrun_report.writing.text import NOTHING, harmless, plain, share_within

__all__ = ["section"]

COLUMNS = ("ranks", "kind", "n", "total", "share", "ci_low", "ci_high")


def section(source: Source) -> Section | None:
    """The table and its picture, for every labelling of the study."""
    blocks = tuple(_blocks(source))
    lead = (
        "Features ranked by how often they are active, counted by the kind of their label. "
        "General: tested, and no association strong and certain enough was found. Insufficient: "
        "too few problems to say. Below each count its share with Wilson's 95 % interval."
    )
    return Section("distribution", "Distribution", blocks, lead) if blocks else None


def _blocks(source: Source) -> Iterator[Block]:
    for stored in source.of_type("labels"):
        if stored.has(*COLUMNS, table="distribution"):
            frame = stored.other("distribution")
            assert frame is not None
            yield _table(source, stored, frame)
            if frame.height:
                yield _picture(source, stored, frame)


def _table(source: Source, stored: Stored, frame: pl.DataFrame) -> Table:
    """Kinds below each other: there may be any number of them, and few ranges."""
    totals = frame.unique("ranks", keep="first", maintain_order=True)
    ranges = dict(totals.select("ranks", "total").iter_rows())
    columns = (
        Column("kind", "Kind"),
        *(Column(harmless(name), f"Ranks {harmless(name)}", numeric=True) for name in ranges),
    )
    cells = {(row["ranks"], row["kind"]): _cell(row) for row in frame.iter_rows(named=True)}
    kinds = ordered(frame["kind"])
    rows = [
        (_text(kind), *(cells.get((name, kind), Cell(None, NOTHING)) for name in ranges))
        for kind in kinds
    ]
    rows.append((_text("all"), *(Cell(total, str(total)) for total in ranges.values())))
    caption = source.named(stored, "Kinds of features by range of frequency ranks")
    identity = f"{stored.slug}-distribution"
    return Table(identity, caption, columns, tuple(rows), len(rows))


def _text(kind: str) -> Cell:
    return Cell(harmless(kind), harmless(kind).capitalize())


def _cell(row: dict[str, Any]) -> Cell:
    value = {name: plain(row[name]) for name in ("n", "share", "ci_low", "ci_high")}
    ends = share_within(row["share"], row["ci_low"], row["ci_high"])
    return Cell(value, str(row["n"]), ends)


def _picture(source: Source, stored: Stored, frame: pl.DataFrame) -> Figure:
    seen = pl.col("n").sum().over("kind") > 0
    shown = frame.filter(seen).select("ranks", "kind", "n", "total", "share")
    parts = []
    for ranks in frame["ranks"].unique(maintain_order=True):
        of_range = frame.filter((pl.col("ranks") == ranks) & (pl.col("n") > 0))
        counts = ", ".join(f"{n} {kind}" for kind, n in of_range.select("kind", "n").iter_rows())
        parts.append(f"ranks {ranks}: {counts or 'no features'}")
    caption = source.named(stored, "Kinds of features by frequency rank")
    alt = harmless("; ".join(parts) + ".", 2000)
    return Figure(f"{stored.slug}-kinds", caption, alt, kinds_chart(shown))
