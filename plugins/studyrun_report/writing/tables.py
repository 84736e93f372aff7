"""From data frames to the tables of a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any, Literal

import polars as pl

from studyrun_report.blocks import Cell, Column, Rows, Table, changed
from studyrun_report.writing.text import (
    NOTHING,
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

__all__ = ["WIDEST", "WRITERS", "Spec", "cells", "columns", "first_of", "generic", "linked",
           "plain_specs", "table_of", "used"]  # fmt: skip

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
NONE = Cell(None, NOTHING)
FEATURES = ("feature", "feature_a", "feature_b", "other")
"""Columns that hold a feature."""
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
    at: str = ""
    """The column with the whole id that the cell leads to."""
    beneath: tuple[str, str, str] | tuple[()] = ()
    """Another column shown below the value, its form, and the words for it: `cosine {}`."""
    group: str = ""
    """A head above this one and its neighbours of the same group."""
    filter: Literal["", "choice", "range"] = ""
    """How a page lets its reader choose rows."""
    form_by: str = ""
    """The column with the form of each row, where they differ."""


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
    kept = used(frame, specs)
    rows = cells(frame, kept)
    return Table(id, caption, columns(kept), rows, frame.height, note=note, folded=folded)


def used(frame: pl.DataFrame, specs: Iterable[Spec]) -> list[Spec]:
    """Those of which the frame has the column, and anything in it."""
    return [spec for spec in specs if spec.name in frame.columns and not _empty(frame[spec.name])]


def linked(specs: Iterable[Spec], link: str) -> list[Spec]:
    """With every feature leading to its page, where it has one.

    Args:
        specs: of a table.
        link: what stands before a feature in the id of its page; empty where it has none.
    """
    return [replace(spec, link=link) if spec.name in FEATURES else spec for spec in specs]


def columns(specs: Iterable[Spec]) -> tuple[Column, ...]:
    """The heads."""
    return tuple(
        Column(harmless(each.name), each.title, each.form not in WORDS, each.about, each.group,
               each.filter)
        for each in specs
    )  # fmt: skip


def cells(frame: pl.DataFrame, specs: Sequence[Spec]) -> Rows:
    """The rows of the frame; made column by column, as there may be very many."""
    return tuple(zip(*(_cells(frame, spec) for spec in specs), strict=True))


def _cells(frame: pl.DataFrame, spec: Spec) -> Iterator[Cell]:
    values = frame[spec.name].to_list()
    forms = frame[spec.form_by].to_list() if spec.form_by else repeat(spec.form)
    every = zip(values, forms, _details(frame, spec), _links(frame, spec), strict=False)
    words = _Words()
    for value, form, detail, link in every:
        if value is None:
            yield NONE
        elif isinstance(value, str):
            yield Cell(words[value], words[value], detail, link)
        else:
            yield Cell(plain(value), _shown(value, form), detail, link)


class _Words(dict[str, str]):
    """Strings made harmless, each once: columns hold the same ones again and again."""

    def __missing__(self, text: str) -> str:
        self[text] = harmless(text)
        return self[text]


def _links(frame: pl.DataFrame, spec: Spec) -> Iterable[str]:
    if spec.at:
        return (each or "" for each in frame[spec.at].to_list())
    if spec.link:
        return (f"{spec.link}{value}" for value in frame[spec.name].to_list())
    return repeat("")


def _details(frame: pl.DataFrame, spec: Spec) -> Iterable[str]:
    """What stands below each value."""
    if spec.beneath and spec.beneath[0] in frame.columns:
        name, form, around = spec.beneath
        words, values = _Words(), frame[name].to_list()
        told = (words[v] if isinstance(v, str) else _shown(v, form) for v in values)
        return ("" if v is None else around.format(t) for v, t in zip(values, told, strict=True))
    if spec.ends and {*spec.ends} <= {*frame.columns}:
        forms = frame[spec.form_by].to_list() if spec.form_by else repeat(spec.form)
        ends = zip(_both(frame, spec.ends), forms, strict=False)
        return (
            "" if None in both else interval(both[0], both[1], WRITERS[form]) for both, form in ends
        )
    counts = tuple(spec.of.split("/"))
    if spec.of and {*counts} <= {*frame.columns}:
        return ("" if None in both else "{} of {}".format(*both) for both in _both(frame, counts))
    return repeat("")


def _both(frame: pl.DataFrame, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    return zip(*(frame[name].to_list() for name in names), strict=True)


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
    return changed(table, total=total, part=f"{shown} of {total} rows" if shown < total else "")


def plain_specs(frame: pl.DataFrame) -> list[Spec]:
    """Every column under its own name."""
    return [Spec(name, harmless(name, 60), _form(dtype)) for name, dtype in frame.schema.items()]


def _form(dtype: pl.DataType) -> str:
    if dtype.is_integer():
        return "count"
    return "number" if dtype.is_float() else "text"
