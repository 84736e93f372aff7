"""Figures as a paper takes them: the drawing, its pixels, its numbers."""

import csv
import io
import re
import struct
from xml.etree import ElementTree

import altair as alt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyrun_report.blocks import Figure
from studyrun_report.drawing.charts import OUTER, finished
from studyrun_report.drawing.feature_charts import breaks
from studyrun_report.drawing.figures import as_csv, datasets, files_of
from studyrun_report.drawing.pictures import svg

names = st.text(alphabet="abc,\"'\n=-x", min_size=1, max_size=4)
values = st.none() | st.integers(-9, 9) | st.text(alphabet="a=+-@\t\r\n,\"' ", max_size=5)
tables = st.lists(st.dictionaries(names, values, max_size=3), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def figure():
    points = pl.DataFrame({"x": [1, 2, 3], "y": [1 / 3, 0.5, 1.0]})
    band = pl.DataFrame({"low": [1], "high": [2]})
    shading = alt.Chart(band).mark_rect().encode(x="low:Q", x2="high:Q")
    chart = finished(shading + alt.Chart(points).mark_point().encode(x="x:Q", y="y:Q"))
    return Figure("f", "Caption <&>", 'Alt "text" <b>', chart)


@given(tables)
def test_every_value_is_read_back_from_the_table(rows):
    """Law: an apostrophe before what a spreadsheet would calculate is all that changes."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    head, *read = csv.reader(io.StringIO(as_csv(rows), newline=""))
    assert head == ([inert(name) for name in columns] or [""])
    assert read == [[inert(row.get(name)) for name in columns] or [""] for row in rows]


def inert(value):
    """Written plainly."""
    if value is None:
        return ""
    text = str(value)
    dangerous = isinstance(value, str) and text[:1] in {"=", "+", "-", "@", "\t", "\r"}
    return "'" + text if dangerous else text


def test_a_figure_comes_as_drawing_as_pixels_and_as_numbers(figure):
    files = files_of(figure, svg(figure.spec))
    assert set(files) == {f"figures/f{end}" for end in (".svg", ".png", ".csv", "-2.csv")}
    assert files["figures/f.csv"].decode() == "x,y\n1,0.333333\n2,0.5\n3,1.0\n"
    assert files["figures/f-2.csv"].decode() == "low,high\n1,2\n"


def test_the_largest_table_comes_first(figure):
    assert [len(rows) for rows in datasets(figure.spec)] == [3, 1]


def test_the_pixels_are_twice_the_drawing_and_on_paper(figure):
    files = files_of(figure, svg(figure.spec))
    root = ElementTree.fromstring(files["figures/f.svg"])
    width, height = struct.unpack(">II", files["figures/f.png"][16:24])
    assert (width, height) == (2 * int(root.get("width")), 2 * int(root.get("height")))
    assert files["figures/f.png"].startswith(b"\x89PNG")


def test_the_drawing_says_what_it_shows(figure):
    root = ElementTree.fromstring(files_of(figure, svg(figure.spec))["figures/f.svg"])
    assert root.get("role") == "img"
    assert [(each.tag.split("}")[1], each.text) for each in root[:2]] == [
        ("title", figure.caption),
        ("desc", figure.alt),
    ]


def test_equal_figures_give_equal_bytes(figure, drawn_once):
    first = files_of(figure, svg(figure.spec))
    drawn_once.clear()
    assert files_of(figure, svg(figure.spec)) == first


def test_numbers_of_pictures_have_six_digits_at_most(figure):
    assert datasets(figure.spec)[0][0] == {"x": 1, "y": 0.333333}


@given(st.floats(0, 1))
def test_the_tones_of_phi_part_at_round_numbers_and_take_in_all(most):
    """Law: six ends, the same on both sides of 0, in steps of one width, of two decimals."""
    ends = breaks(most)
    assert ends == sorted({-end for end in ends})
    assert len(ends) == 6
    assert all(round(end, 2) == end for end in ends)
    assert ends[-1] * 7 / 5 >= most - 1e-9 or ends[-1] == 0.5


@pytest.mark.parametrize("height", [60, 200])
def test_pictures_of_any_axis_have_one_width(height):
    """So that those beside each other are drawn at one scale."""
    widths = set()
    for labels in (["a", "b"], ["a label that is long", "another one"]):
        frame = pl.DataFrame({"name": labels, "n": [1, 2]})
        chart = alt.Chart(frame).mark_bar().encode(alt.X("n:Q"), alt.Y("name:N"))
        drawn = svg(finished(chart, height=height))
        widths.add(re.search(r'viewBox="0 0 (\S+) ', drawn)[1])
    assert widths == {str(OUTER)}
