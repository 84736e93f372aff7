"""Distribution: which kinds of features stand at which frequency."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from studyrun_report.blocks import Block, Cell, Column, Figure, Section, Table
from studyrun_report.charts import kinds_chart
from studyrun_report.source import Source, Stored
from studyrun_report.text import NOTHING, harmless, interval, plain, share

__all__ = ["section"]

PERCENT = "\N{NO-BREAK SPACE}%"
COLUMNS = ("ranks", "kind", "n", "total", "share", "ci_low", "ci_high")


def section(source: Source) -> Section | None:
    """The table and its picture, for every labelling of the study."""
    blocks = tuple(_blocks(source))
    lead = (
        "Features ranked by how often they are active, counted by the kind of their label. "
        "General: tested, and no association strong and certain enough was found. Insufficient: "
        "too few problems to say. Below each count its share with Wilson's 95 % interval."
    )
    return Section("distribution", "Distribution by frequency", blocks, lead) if blocks else None


def _blocks(source: Source) -> Iterator[Block]:
    for stored in source.of_type("labels"):
        if stored.has(*COLUMNS, table="distribution"):
            frame = stored.other("distribution")
            assert frame is not None
            yield _table(source, stored, frame)
            if frame.height:
                yield _picture(source, stored, frame)


def _table(source: Source, stored: Stored, frame: pl.DataFrame) -> Table:
    kinds = frame["kind"].unique(maintain_order=True).to_list()
    columns = (
        Column("ranks", "Frequency ranks"),
        Column("total", "Features", numeric=True),
        *(Column(kind, harmless(kind).capitalize(), numeric=True) for kind in kinds),
    )
    rows = []
    for ranks in frame["ranks"].unique(maintain_order=True):
        of_range = frame.filter(pl.col("ranks") == ranks)
        total = of_range["total"][0]
        by_kind = {row["kind"]: row for row in of_range.iter_rows(named=True)}
        cells = (_cell(by_kind.get(kind)) for kind in kinds)
        rows.append((Cell(harmless(ranks), harmless(ranks)), Cell(total, str(total)), *cells))
    caption = source.named(stored, "Kinds of features by range of frequency ranks")
    return Table(f"{stored.slug}-distribution", caption, columns, tuple(rows), len(rows))


def _cell(row: dict[str, Any] | None) -> Cell:
    if row is None:
        return Cell(None, NOTHING)
    value = {name: plain(row[name]) for name in ("n", "share", "ci_low", "ci_high")}
    ends = interval(row["ci_low"], row["ci_high"], lambda end: share(end).removesuffix(PERCENT))
    return Cell(value, str(row["n"]), f"{share(row['share'])}, {ends}")


def _picture(source: Source, stored: Stored, frame: pl.DataFrame) -> Figure:
    shown = frame.select("ranks", "kind", "n", "total", "share")
    parts = []
    for ranks in frame["ranks"].unique(maintain_order=True):
        of_range = frame.filter((pl.col("ranks") == ranks) & (pl.col("n") > 0))
        counts = ", ".join(f"{n} {kind}" for kind, n in of_range.select("kind", "n").iter_rows())
        parts.append(f"ranks {ranks}: {counts or 'no features'}")
    caption = source.named(stored, "Kinds of features by frequency rank")
    alt = harmless("; ".join(parts) + ".", 2000)
    return Figure(f"{stored.slug}-kinds", caption, alt, kinds_chart(shown))
