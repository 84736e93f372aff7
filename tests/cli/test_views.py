"""Texts, tables and values as a terminal, a program and a spreadsheet get them."""

from __future__ import annotations

import csv
import io
import json
import math
import unicodedata

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strategies import frames, hidden_text, text_columns
from studyrun.cli.grid import Column, fitted
from studyrun.cli.terminal import breadth, cut, harmless, padded, visible, wrapped
from studyrun.cli.values import as_columns, as_csv, as_json, as_text, shown

ACTING = {"Cc", "Cs", "Zl", "Zp"}


@given(hidden_text)
def test_a_harmless_text_is_one_line_without_hidden_characters(text):
    """Law: whatever stands in data, a terminal only writes it."""
    made = harmless(text)
    assert not {unicodedata.category(character) for character in made} & ACTING
    assert not any(unicodedata.bidirectional(c) in ("RLO", "LRO", "RLE", "LRE") for c in made)
    assert harmless(made) == made


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=20))
def test_a_plain_text_is_harmless_as_it_is(text):
    assert harmless(text) == visible(text) == text


def test_hidden_characters_are_written_out():
    assert harmless("a\x1b[31mb\u202ec\td\r\n") == "a<U+001B>[31mb<U+202E>c d"
    assert visible("a\nb\x9b") == "a\nb<U+009B>"


def test_wide_characters_take_two_places_and_accents_none():
    assert [breadth(text) for text in ("abc", "日本", "e\u0301", "ｱ")] == [3, 4, 1, 1]


@given(hidden_text.map(harmless), st.integers(1, 20))
def test_a_text_that_is_cut_fits(text, room):
    """Law: breadth(cut(text, room)) <= room, and nothing is cut without need."""
    made = cut(text, room)
    assert breadth(made) <= room
    assert made == text or breadth(text) > room


@given(hidden_text.map(harmless), st.integers(0, 40), st.booleans())
def test_padding_fills_the_room(text, more, right):
    room = breadth(text) + more
    made = padded(text, room, right=right)
    assert breadth(made) == room
    assert made.strip() == text.strip()


def test_lines_are_wrapped_at_words_and_indented(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert wrapped("one two " * 6, "  head  ") == [
        "  head  one two one two one two one two",
        "        one two one two",
    ]
    assert wrapped("", "  head  ") == ["  head"]


# Tables that fit


@given(text_columns(), st.integers(20, 120))
def test_every_column_is_shown_or_named_as_hidden(given_columns, room):
    """Law: shown + hidden is all, in order, and the first column is always shown."""
    columns = [Column(*each) for each in given_columns]
    grid = fitted(columns, room)
    there = [column.name for column in grid.columns]
    names = [column.name for column in columns]
    assert there[0] == names[0]
    assert sorted([*there, *grid.hidden]) == sorted(names)
    assert there == [name for name in names if name in there]


@given(text_columns(), st.integers(20, 120))
def test_lines_are_as_wide_as_the_terminal_at_most(given_columns, room):
    """Law: unless the first column alone is wider than that."""
    columns = [Column(*each) for each in given_columns]
    grid = fitted(columns, room)
    first = columns[0].least
    assert max(map(breadth, grid.lines())) <= max(room, first)


@given(text_columns())
def test_with_room_enough_nothing_is_hidden_and_nothing_cut(given_columns):
    columns = [Column(*each) for each in given_columns]
    grid = fitted(columns, 10_000)
    assert grid.hidden == ()
    text = "\n".join(grid.lines())
    assert all(cell in text for column in columns for cell in column.cells)


@given(text_columns(), st.integers(20, 120))
def test_numbers_are_never_cut(given_columns, room):
    grid = fitted([Column(*each) for each in given_columns], room)
    for column, wide in zip(grid.columns, grid.widths, strict=True):
        assert not column.right or wide >= column.natural


def test_the_most_useful_columns_stay():
    columns = [
        Column("id", ("1",)),
        Column("long", ("x" * 30,), use=2),
        Column("kind", ("value",), use=0),
        Column("q", ("0.01",), right=True, use=1),
    ]
    assert fitted(columns, 20).hidden == ("long",)
    assert fitted(columns, 12).hidden == ("long", "q")
    assert fitted(columns, 20, every=True).hidden == ()


def test_what_was_asked_for_is_kept_before_anything_else():
    frame = pl.DataFrame(
        {
            "feature": [1, 2],
            "constant": [1, 1],
            "kind": ["operation", "value"],
            "q": [0.5, 0.1],
            "ci_low": [0.1, 0.2],
            "some_very_long_name": [1.5, 2.5],
            "top": [[1], [2]],
        }
    )
    uses = {column.name: column.use for column in as_columns(frame, ["ci_low"])}
    assert uses["feature"] == uses["ci_low"] == 0
    order = ["kind", "q", "some_very_long_name", "top", "constant"]
    assert sorted(order, key=uses.get) == order


# Values


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "true"),
        (7, "7"),
        (0.0, "0"),
        (0.8734, "0.873"),
        (12.345, "12.3"),
        (1495.2, "1495"),
        (3.6e-05, "3.6e-05"),
        (4.5e8, "4.5e+08"),
        (math.nan, "NaN"),
        (-math.inf, "-inf"),
        ([3, 17], "3, 17"),
        ([3, 17, 20, 1, 2], "3, 17, 20 and 2 more"),
        ({"a": 1}, '{"a": 1}'),
        ("=1\x1b", "=1<U+001B>"),
        ("x" * 500, "x" * 400 + " (500 characters in all)"),
    ],
    ids=str,
)
def test_values_are_short_and_in_one_line(value, text):
    assert shown(value) == text


def test_columns_of_whole_floats_have_no_point():
    frame = pl.DataFrame({"answer": [48.0, 12345678.0, None], "share": [0.5, 1.0, math.nan]})
    cells = [column.cells for column in as_columns(frame)]
    assert cells == [("48", "12345678", "-"), ("0.500", "1.00", "NaN")]


def test_a_studys_values_are_written_as_they_were():
    assert [as_text(v) for v in (0.0625, 16, [3, 1.5], None, "topk", 1e-05)] == [
        "0.0625", "16", "3, 1.5", "-", "topk", "1e-05",
    ]  # fmt: skip


# What programs get


def _as_json(value):
    match value:
        case float():
            return value if math.isfinite(value) else None
        case list():
            return [_as_json(each) for each in value]
        case dict():
            return {name: _as_json(each) for name, each in value.items()}
    return value


@given(frames())
def test_json_gives_back_every_value(frame):
    """Law: parsed, it is the table's records, with null for what is undefined."""
    assert json.loads(as_json(frame)) == _as_json(frame.to_dicts())


@given(hidden_text)
@example("\U000e0001")
def test_json_is_inert_on_a_terminal(text):
    made = as_json(pl.DataFrame({"a": [text.encode("utf-8", "ignore").decode()]}))
    assert not {unicodedata.category(c) for c in made if c != "\n"} & ACTING
    assert json.loads(made) == [{"a": text.encode("utf-8", "ignore").decode()}]


@given(frames())
def test_csv_has_a_cell_for_every_value(frame):
    """Law: read again, the shape is that of the table and numbers are the same."""
    heads, *rows = csv.reader(io.StringIO(as_csv(frame), newline=""))
    assert (len(heads), len(rows)) == (frame.width, frame.height)
    for place, series in enumerate(frame):
        if series.dtype.is_numeric():
            read = float if series.dtype.is_float() else int
            cells = [read(row[place]) if row[place] else None for row in rows]
            assert list(map(repr, cells)) == list(map(repr, series))


@given(hidden_text)
@example("=cmd|' /C calc'!A0")
@example("@SUM(1)")
@example("\t=1")
@example(" =1")
def test_no_text_in_csv_is_a_formula(text):
    """Law: no cell begins as a formula; a text that does has a quotation mark before it."""
    text = text.encode("utf-8", "ignore").decode()
    made = as_csv(pl.DataFrame({"a": [text], "b": [-1]}))
    _, row = csv.reader(io.StringIO(made, newline=""))
    cell, number = row
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))
    assert number == "-1"
    assert visible(text.replace("\r\n", "\n")) in (cell, cell.removeprefix("'"))


def test_csv_of_lists_and_nothing_and_headings():
    frame = pl.DataFrame({"=a": [[1, 2], None], "b": ["x,y\nz", None], "c": [True, None]})
    assert as_csv(frame) == '\'=a,b,c\n"[1, 2]","x,y\nz",true\n,,'
