"""Controls of effects: every quantity of a step in one row, beside what it is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from studyrun_report.blocks import Cell, Column, Table
from studyrun_report.effects.quantities import ORDER, place_title, quantity
from studyrun_report.sections.effect_tables import VERDICTS
from studyrun_report.source import Stored
from studyrun_report.writing.tables import WRITERS
from studyrun_report.writing.text import NOTHING, harmless, plain

__all__ = ["overview"]

KEY = ("quantity", "place")
COMPARED = {
    "random_size": "Random direction",
    "elsewhere_size": "Other position",
    "matched_size": "Alike features",
}
MEANINGS = {
    "edits": "Edits of which the size and all controls shown are known; the means are over these",
    "size": "Mean size of the change, without its sign",
    "random_size": "The same differences turned into random directions of their norm",
    "elsewhere_size": "The same differences, added at another position",
    "matched_size": "The same edit of other features, alike in frequency and activation",
    "floor": "The largest size where nothing is edited",
}
MEASURED = (*COMPARED, "size", "floor")
NEEDED = (*KEY, *MEASURED, "verdict")


def overview(stored: Stored) -> Iterator[Table]:
    """One row for each quantity that is compared with anything."""
    summary = stored.having("effects_by_feature", *NEEDED)
    if summary is None or not all(summary.schema[name].is_numeric() for name in MEASURED):
        return
    rows = [
        row
        for _, own in summary.group_by(*KEY, maintain_order=True)
        if (row := _row(own)) is not None
    ]
    if rows:
        rows.sort(key=_order)
        yield _table(stored, rows)


def _row(own: pl.DataFrame) -> dict[str, Any] | None:
    """Means over the edits that have everything, and how many edits are called what."""
    there = [name for name in COMPARED if own[name].null_count() < own.height]
    if not there and own["verdict"].is_null().all():
        return None
    every = own.drop_nulls(["size", *there])
    means = {name: every[name].mean() for name in ("size", *there)}
    called = {name: int((own["verdict"] == name).sum()) for name in VERDICTS}
    return {
        **{name: own[name][0] for name in KEY},
        **dict.fromkeys(COMPARED),
        **means,
        "edits": every.height,
        "floor": own["floor"].max(),
        **called,
    }


def _order(row: Mapping[str, Any]) -> tuple[int, str, int, str]:
    """Quantities in the order of the page, thoughts by number."""
    name, place = str(row["quantity"]), str(row["place"] or "")
    number = int(place) if place.isdecimal() and len(place) < 9 else -1
    return ORDER.get(name, len(ORDER)), name, number, place


def _table(stored: Stored, rows: list[dict[str, Any]]) -> Table:
    columns = tuple(_columns(rows))
    cells = tuple(tuple(_cells(row, columns)) for row in rows)
    caption = harmless(f"{stored.step}: mean sizes, and those of the controls")
    return Table(f"{stored.slug}-controls", caption, columns, cells, len(rows))


def _columns(rows: list[dict[str, Any]]) -> Iterator[Column]:
    """Those that hold anything."""
    titles = {"edits": "Edits", "size": "Size", **COMPARED, "floor": "Noise"}
    yield Column("quantity", "Quantity")
    for name, title in titles.items():
        if any(row[name] is not None for row in rows):
            group = "Mean size" if name in ("size", *COMPARED) else ""
            yield Column(name, title, numeric=True, about=MEANINGS[name], group=group)
    for name in VERDICTS:
        yield Column(name, name.capitalize(), numeric=True, group="Edits called")


def _cells(row: Mapping[str, Any], columns: tuple[Column, ...]) -> Iterator[Cell]:
    of = quantity(str(row["quantity"]))
    yield Cell(plain(row["quantity"]), harmless(of.title), place_title(str(row["place"] or "")))
    for column in columns[1:]:
        value = row[column.name]
        form = of.form if column.name in MEASURED else "count"
        yield Cell(plain(value), NOTHING if value is None else WRITERS[form](value))
