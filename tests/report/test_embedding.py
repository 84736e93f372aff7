"""What a page carries as data: nothing lost, nothing that ends its element."""

import base64
import gzip
import json

from hypothesis import example, given
from hypothesis import strategies as st

from strategies import cells, features_blocks
from studyrun_report.blocks import Cell, Features, changed
from studyrun_report.views.embedding import DIGITS, data_of, pages_of, rows_of, sortable


def told(cell):
    """(value, shown, detail, link), read as the page's script reads a cell."""
    if isinstance(cell, list):
        return (*cell, *[""] * (4 - len(cell)))
    return cell, str(cell), "", ""


def words(cell):
    """(shown, detail, link), read as the page's script reads a cell of a feature's table."""
    return (*cell, *[""] * (3 - len(cell))) if isinstance(cell, list) else (cell, "", "")


def close(value):
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


@given(features_blocks())
def test_every_cell_of_a_row_can_be_read_back(block):
    data = json.loads(str(rows_of(block)))
    for read, row in zip(data["rows"], block.rows, strict=True):
        for got, cell in zip(read, row, strict=True):
            assert told(got) == (close(sortable(cell)), cell.shown, cell.detail, cell.link)


@given(cells())
@example(Cell(2**53, str(2**53)))
@example(Cell(2**53 - 1, str(2**53 - 1)))
def test_a_number_stands_for_itself_only_where_a_browser_writes_it_so(cell):
    """Law: a bare number is whole and below 2^53, beyond which JavaScript rounds."""
    block = Features("f", "", (), ((cell,),))
    (((got,),),) = (json.loads(str(rows_of(block)))["rows"],)
    if isinstance(got, int):
        assert abs(got) < 2**53
        assert str(got) == cell.shown


@given(features_blocks())
def test_no_text_ends_the_element_it_stands_in(block):
    assert "<" not in rows_of(block)
    assert "<" not in pages_of(block)


@given(features_blocks())
def test_every_page_can_be_read_back(block):
    data = json.loads(str(pages_of(block)))
    assert [tuple(each) for each in data["problems"]] == [
        (p.id, p.question, list(p.steps), p.answer) for p in block.problems
    ]
    assert list(data["pages"]) == [page.id for page in block.pages]
    for read, page in zip(data["pages"].values(), block.pages, strict=True):
        feature, label, kind, verdict, terms, _, _, bars, samples, tables = read
        assert (feature, label, kind, verdict) == (
            page.feature, page.label, page.kind, page.verdict
        )  # fmt: skip
        assert terms == [[t.name, t.shown, t.code] for t in page.terms]
        own = page.histogram
        assert bars == (own and [own.low, own.high, list(own.counts), own.alt])
        assert samples == [
            [part.title, [[s.problem, s.activation, round(s.share, 3), list(s.marked)]
                          for s in part.samples]]
            for part in page.samples
        ]  # fmt: skip
        assert {
            name: [[words(c) for c in row] for row in rows] for name, rows in tables.items()
        } == {
            name: [[(c.shown, c.detail, c.link) for c in row] for row in rows]
            for name, rows in page.tables.items()
        }


@given(features_blocks(), st.integers(0, 900))
def test_what_is_too_long_is_compressed_and_says_the_same(block, plain):
    for data, text in zip(data_of(block, plain), (rows_of(block), pages_of(block)), strict=True):
        assert data.packed == (len(text) > plain)
        own = gzip.decompress(base64.b64decode(data.text)).decode() if data.packed else data.text
        assert own == text
        assert data.of == block.id


@given(features_blocks())
def test_compressed_data_cannot_end_its_element_either(block):
    assert all(set(str(data.text)).isdisjoint("<>&\"'") for data in data_of(block, 0))


def test_pages_of_other_files_are_named_once_each():
    elsewhere = {"feature-2": "features/2-9.html", "feature-3": "features/2-9.html"}
    block = changed(Features("f", "", (), ()), elsewhere=elsewhere)
    data = json.loads(str(rows_of(block)))
    assert data["files"] == ["features/2-9.html"]
    assert {name: data["files"][at] for name, at in data["elsewhere"].items()} == elsewhere


def test_what_has_no_value_is_sorted_by_nothing():
    assert [sortable(Cell(v, "")) for v in (None, [], [3, 4], {"n": 2}, {}, 0, "a")] == [
        "", "", 3, 2, "", 0, "a"
    ]  # fmt: skip
