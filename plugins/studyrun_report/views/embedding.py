"""What a page carries as data: features' rows and pages as compact JSON that no text can end.

A cell is written as short as it can be: text as a string, a count as a number, everything else as
`[value, shown, detail, link]` without what is empty at its end. `templates/js/data.js` reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from markupsafe import Markup

from studyrun_report.blocks import Bars, Cell, Column, FeaturePage, Features, Rows, Sample
from studyrun_report.views.packing import as_text

__all__ = ["DIGITS", "PLAIN", "Data", "data_of", "pages_of", "rows_of", "safe", "sortable"]

DIGITS = 6
"""Significant digits of the numbers that rows are sorted and filtered by; nobody sees them."""

EXACT = 2**53
"""JavaScript rounds whole numbers from here on."""
PLAIN = 8_000_000
"""So many characters of data stand in a page as they are, for any browser; more are compressed."""


class Data(NamedTuple):
    """The content of a script element."""

    name: str
    """`rows` or `pages`."""
    of: str
    """The block's id."""
    text: Markup
    packed: bool
    """Whether the text is gzip in base64, for the browser to unpack."""


def data_of(block: Features, plain: int = PLAIN) -> tuple[Data, Data]:
    """The block's rows and its pages, compressed where they are longer than `plain`."""
    rows, pages = rows_of(block), pages_of(block)
    return _data("rows", block, rows, plain), _data("pages", block, pages, plain)


def _data(name: str, block: Features, text: Markup, plain: int) -> Data:
    if len(text) <= plain:
        return Data(name, block.id, text, packed=False)
    return Data(name, block.id, Markup(as_text(text.encode())), packed=True)


def rows_of(block: Features) -> Markup:
    """The table of all features: everything that sorting, searching and filtering needs."""
    where = list(dict.fromkeys(block.elsewhere.values()))
    number = {file: place for place, file in enumerate(where)}
    return safe(
        {
            "caption": block.caption,
            "columns": _columns(block.columns),
            "rows": [[_cell(cell) for cell in row] for row in block.rows],
            "files": where,
            "elsewhere": {
                identity: number[file] for identity, file in sorted(block.elsewhere.items())
            },
        }
    )


def pages_of(block: Features) -> Markup:
    """The pages of the features, by id, with the problems that they speak of."""
    return safe(
        {
            "layouts": [
                [each.name, each.caption, _columns(each.columns), each.note]
                for each in block.layouts
            ],
            "problems": [[each.id, each.question, each.steps, each.answer]
                         for each in block.problems],
            "pages": {page.id: _page(page) for page in block.pages},
        }
    )  # fmt: skip


def safe(value: Any) -> Markup:
    """The value as JSON to stand within a script element, whatever its strings hold."""
    return Markup(msgspec.json.encode(value).replace(b"<", b"\\u003c").decode())


def sortable(cell: Cell) -> Any:
    """What the cell is sorted by; empty where there is no value."""
    value = cell.value
    if isinstance(value, dict):
        value = value.get("n")
    if isinstance(value, list):
        value = value[0] if value else None
    return "" if value is None else value


def _columns(columns: Iterable[Column]) -> list[list[Any]]:
    return [[each.name, each.title, each.numeric, each.about, each.group, each.filter]
            for each in columns]  # fmt: skip


def _cell(cell: Cell) -> Any:
    """As short as it can be while value, shown, detail and link can be told from it."""
    value, shown = sortable(cell), cell.shown
    if not cell.detail and not cell.link:
        if isinstance(value, str):
            return shown if value == shown else [value, shown]
        if type(value) is int and abs(value) < EXACT and str(value) == shown:
            return value
    if isinstance(value, float):
        value = float(f"{value:.{DIGITS}g}")
    return _short([value, shown, cell.detail, cell.link])


def _short(parts: list[Any]) -> list[Any]:
    while not parts[-1] and len(parts) > 2:  # value and shown always stand
        parts.pop()
    return parts


def _page(page: FeaturePage) -> list[Any]:
    return [
        page.feature,
        page.label,
        page.kind,
        page.verdict,
        [[term.name, term.shown, term.code] for term in page.terms],
        page.evidence,
        page.controls,
        _bars(page.histogram),
        [[part.title, [_sample(each) for each in part.samples]] for part in page.samples],
        {name: _plain(rows) for name, rows in page.tables.items()},
    ]


def _bars(bars: Bars | None) -> list[Any] | None:
    return None if bars is None else [bars.low, bars.high, bars.counts, bars.alt]


def _sample(sample: Sample) -> list[Any]:
    return [sample.problem, sample.activation, round(sample.share, 3), sample.marked]


def _plain(rows: Rows) -> Sequence[Sequence[Any]]:
    """The rows of a page's table, which stays in its order: nobody needs the values."""
    return [[_words(cell) for cell in row] for row in rows]


def _words(cell: Cell) -> Any:
    if not cell.detail and not cell.link:
        return cell.shown
    return _short([cell.shown, cell.detail, cell.link])
