"""From data frames to the tables of a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from studyrun_report.blocks import Cell, Column, Table
from studyrun_report.text import (
    average,
    counted,
    exact,
    harmless,
    interval,
    number,
    plain,
    probability,
    set_of,
    share,
    some,
)

__all__ = ["WIDEST", "WRITERS", "Spec", "first_of", "generic", "plain_specs", "table_of"]

WIDEST = 12
"""Columns of a table that nobody wrote a specification for."""
WRITERS: Mapping[str, Callable[[Any], str]] = {
    "number": number,
    "share": share,
    "probability": probability,
    "count": counted,
    "average": average,
    "exact": exact,
    "set": set_of,
    "some": some,
}
WORDS = ("text", "set", "some")
"""Forms that are no numbers."""


@dataclass(frozen=True, slots=True)
class Spec:
    """How a column is shown."""

    name: str
    title: str
    form: str = "text"
    """A key of `WRITERS`, or `text`."""
    about: str = ""
    ends: tuple[str, str] | tuple[()] = ()
    """The columns with the ends of its interval, shown below the value."""
    of: str = ""
    """Shown below the value: `227 of 245`, from the columns named here, `n_with/n`."""
    link: str = ""
    """Makes the cell a link; stands before the value in the id that it leads to."""
    beneath: tuple[str, str, str] | tuple[()] = ()
    """Another column shown below the value, its form, and the words for it: `cosine {}`."""
    group: str = ""
    """A head above this one and its neighbours of the same group."""


def table_of(
    frame: pl.DataFrame,
    specs: Iterable[Spec],
    *,
    id: str,
    caption: str,
    note: str = "",
    folded: bool = False,
) -> Table:
    """All rows of the frame, with those columns of `specs` that it has and that hold anything."""
    used = [spec for spec in specs if spec.name in frame.columns and not _empty(frame[spec.name])]
    rows = [tuple(_cell(spec, row) for spec in used) for row in frame.iter_rows(named=True)]
    columns = tuple(_column(spec) for spec in used)
    return Table(id, caption, columns, tuple(rows), frame.height, note=note, folded=folded)


def _column(spec: Spec) -> Column:
    return Column(harmless(spec.name), spec.title, spec.form not in WORDS, spec.about, spec.group)


def _cell(spec: Spec, row: Mapping[str, Any]) -> Cell:
    value = row[spec.name]
    link = f"{spec.link}{value}" if spec.link else ""
    return Cell(plain(value), _shown(value, spec.form), _detail(spec, row), link)


def _detail(spec: Spec, row: Mapping[str, Any]) -> str:
    if row[spec.name] is None:
        return ""
    if spec.beneath:
        name, form, words = spec.beneath
        other = row.get(name)
        return "" if other is None else words.format(_shown(other, form))
    low, high = (row.get(name) for name in spec.ends or ("", ""))
    if low is not None and high is not None:
        return interval(low, high, WRITERS[spec.form])
    part, whole = (row.get(name) for name in (spec.of or "/").split("/"))
    return f"{part} of {whole}" if part is not None and whole is not None else ""


def _empty(column: pl.Series) -> bool:
    """Whether there is nothing to show in any of the rows."""
    return len(column) > 0 and column.null_count() == len(column)


def _shown(value: Any, form: str) -> str:
    if value is None:
        return number(None)
    if form in WRITERS:
        return WRITERS[form](value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else harmless(str(value))


def generic(frame: pl.DataFrame, *, id: str, caption: str, rows: int) -> Table:
    """The first rows and columns of a table of which nothing is known."""
    specs = plain_specs(frame)[:WIDEST]
    hidden = frame.width - len(specs)
    note = f"{hidden} more columns are in the stored table." if hidden else ""
    head = table_of(frame.head(rows), specs, id=id, caption=caption, note=note)
    return first_of(head, frame.height)


def first_of(table: Table, total: int) -> Table:
    """The table, said to show the first of `total` rows."""
    shown = len(table.rows)
    return replace(table, total=total, part=f"{shown} of {total} rows" if shown < total else "")


def plain_specs(frame: pl.DataFrame) -> list[Spec]:
    """Every column under its own name."""
    return [Spec(name, harmless(name, 60), _form(dtype)) for name, dtype in frame.schema.items()]


def _form(dtype: pl.DataType) -> str:
    if dtype.is_integer():
        return "count"
    return "number" if dtype.is_float() else "text"
