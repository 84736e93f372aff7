"""A polars table as texts for a terminal, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import unicodedata
from typing import TYPE_CHECKING, Any

from studyrun.cli.grid import Column
from studyrun.cli.terminal import HIDDEN, breadth, harmless, visible

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import polars as pl

__all__ = ["as_columns", "as_csv", "as_json", "as_text", "inert", "plain", "shown"]

NOTHING = "-"
FIRST = 3
"""So many of a list are shown."""
LONGEST = 400
"""Characters of a text that are looked at for a terminal."""
SHORT_NAME = 16
SHORT_TEXT = 24
LONG_TEXT = 40
LEAST = 5
"""A shorter text is `true`, `a`, a unit: no more telling than a number."""
ENDS = ("_low", "_high")
"""Columns of intervals: they say less than what they surround."""
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def as_columns(frame: pl.DataFrame, wanted: Collection[str] = ()) -> list[Column]:
    """The table's columns as texts, with how useful each is to somebody who looks at it.

    First what was asked for by name; then words, then numbers; then whatever has a long name or
    text; then ends of intervals, sentences and lists; last what says the same in all rows.

    Args:
        frame: with at least one column.
        wanted: names that somebody asked for.
    """
    return [
        _column(series, 0 if place == 0 or series.name in wanted else None)
        for place, series in enumerate(frame)
    ]


def _column(series: pl.Series, use: int | None) -> Column:
    values = series.to_list()
    whole = series.dtype.is_float() and all(
        value is None or not math.isfinite(value) or value.is_integer() for value in values
    )
    cells = tuple(shown(value, whole=whole) for value in values)
    right = series.dtype.is_numeric()
    found = Column(harmless(series.name), cells, right)
    return Column(found.name, cells, right, _use(found, series) if use is None else use)


def _use(column: Column, series: pl.Series) -> int:
    if len(set(column.cells)) < 2 and len(column.cells) > 1:
        return 5
    longest = 0 if column.right else max(map(breadth, column.cells), default=0)
    if series.dtype.is_nested() or column.name.endswith(ENDS) or longest > LONG_TEXT:
        return 4
    if len(column.name) > SHORT_NAME or longest > SHORT_TEXT:
        return 3
    return 1 if longest > LEAST else 2


def shown(value: Any, *, whole: bool = False) -> str:
    """One value, short and in one line: 0.873, 3.6e-05, true, `3, 17, 20 and 61 more`.

    Args:
        value: of a cell.
        whole: a float is one of a column of whole numbers, written without a point.
    """
    match value:
        case None:
            return NOTHING
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.0f}" if whole and math.isfinite(value) else _number(value)
        case list():
            return _some(value)
        case dict():
            return harmless(json.dumps(value, ensure_ascii=False, default=str)[:LONGEST])
        case str():
            more = f" ({len(value)} characters in all)" if len(value) > LONGEST else ""
            return harmless(value[:LONGEST]) + more
    return harmless(str(value)[:LONGEST])


def as_text(value: Any) -> str:
    """A study's value as it was written: 0.0625, `3, 17`, `topk`."""
    match value:
        case float():
            return f"{value:.12g}"
        case list():
            return ", ".join(map(as_text, value))
    return shown(value)


def _number(value: float) -> str:
    """Three significant digits, more for whole parts."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else str(value)
    size = abs(value)
    if value == 0 or 1000 <= size < 1e6:
        return f"{value:.0f}"
    if size < 0.001 or size >= 1e6:
        return f"{value:.1e}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(size)))}f}"


def _some(values: Sequence[Any]) -> str:
    first = ", ".join(shown(value) for value in values[:FIRST])
    return f"{first} and {len(values) - FIRST} more" if len(values) > FIRST else first


def as_json(frame: pl.DataFrame) -> str:
    """A list of records; null where a number is undefined; inert on a terminal."""
    records = [plain(record) for record in frame.to_dicts()]
    return inert(json.dumps(records, indent=1, ensure_ascii=False, default=str))


def inert(text: str) -> str:
    """JSON, whose texts hold characters that a terminal would act on as escapes only."""
    return "".join(
        json.dumps(character)[1:-1]
        if unicodedata.category(character) in HIDDEN and character != "\n"
        else character
        for character in text
    )


def plain(value: Any) -> Any:
    """The value as JSON has it: no NaN, no infinity."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case list():
            return [plain(each) for each in value]
        case dict():
            return {name: plain(each) for name, each in value.items()}
    return value


def as_csv(frame: pl.DataFrame) -> str:
    """Comma-separated values as a spreadsheet takes them, without the last line end.

    Texts that it would take for formulas get a `'` before them, hidden characters are made
    visible, lists are JSON, and null is an empty cell.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(_safe, frame.columns))
    writer.writerows([_cell(value) for value in row] for row in frame.iter_rows())
    return file.getvalue().removesuffix("\n")


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case list() | dict():
            return _safe(json.dumps(plain(value), ensure_ascii=False, default=str))
    return _safe(str(value))


def _safe(text: str) -> str:
    mark = "'" if text.lstrip().startswith(FORMULAS) or text.startswith(FORMULAS) else ""
    return mark + visible(text.replace("\r\n", "\n"))
