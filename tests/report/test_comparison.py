"""The comparison's page: every cell once, every number the tables'."""

import json
import re
from itertools import combinations

import msgspec
import polars as pl
import pytest
import sidelong
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sidelong import Matrix
from written import rows

from strategies import cell_differences
from studyrun import Compared, NoParams, Result
from studyrun_report.comparison.grid import grid_of
from studyrun_report.comparison.page import compare, facts, read


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A full grid of two sizes and a site, 24 cells."""
    folder = tmp_path_factory.mktemp("swept")
    return Matrix(folder, layer=[2, 8, 14], d_sae=[128, 512], k=[8, 16, 32, 64]).compared()


@pytest.fixture(scope="module")
def page(swept):
    return compare(NoParams(), swept)


def record(compared) -> dict:
    """The record as its readers have it, without drawing anything."""
    return msgspec.to_builtins(facts(read(compared)))


def blocks(found: dict, type_: str) -> dict[str, dict]:
    """The blocks of a type by their id."""
    every = (block for section in found["sections"] for block in section["blocks"])
    return {block["id"]: block for block in every if block["type"] == type_}


def texts(found: dict, section: str) -> list[str]:
    own = [each for each in found["sections"] if each["id"] == section]
    return [block["text"] for each in own for block in each["blocks"] if block["type"] == "text"]


def data(figure: dict) -> list[dict]:
    """The rows that a picture is drawn from."""
    (table,) = figure["spec"]["datasets"].values()
    return table


def by_cell(table: dict) -> dict[str, dict]:
    return {row["cell"]: row for row in rows(table)}


# What is said of a cell


def test_every_cell_is_exactly_once_in_each_table_of_cells(swept):
    names = sorted(each.name for each in swept)
    tables = blocks(record(swept), "table")
    of_cells = [each for each in tables.values() if each["columns"][0]["name"] == "cell"]
    assert len(of_cells) == 4
    for table in of_cells:
        assert sorted(row["cell"] for row in rows(table)) == names


def test_every_number_is_the_one_in_the_cells_tables(swept):
    found = by_cell(blocks(record(swept), "table")["cells-table"])
    for number, each in enumerate(swept):
        row = found[each.name]
        held_out = sidelong.quality(number).row(1, named=True)
        assert {name: row[name] for name in held_out if name in row} == {
            name: value for name, value in held_out.items() if name in row
        }
        assert {name: row[name] for name in each.differences} == each.differences
        assert row["with_label"] == 10 + number
        assert row["labelled_share"] == (10 + number) / 100
        assert row["tested_share"] == (10 + number) / 70


def test_shares_have_wilsons_interval(swept):
    table = blocks(record(swept), "table")["cells-table"]
    names = [column["name"] for column in table["columns"]]
    for row in table["rows"][:5]:
        cell = dict(zip(names, row, strict=True))
        for name, whole in (("labelled_share", 100), ("tested_share", 70)):
            known = binomtest(cell["with_label"]["value"], whole).proportion_ci(method="wilson")
            ends = cell[name]["detail"].replace("\N{NO-BREAK SPACE}%", "").split(" to ")
            assert [float(end) / 100 for end in ends] == pytest.approx([*known], abs=6e-4)


@pytest.fixture(scope="module")
def six(swept):
    return read(swept[:6])


@given(st.permutations(range(6)))
def test_the_order_of_cells_does_not_change_what_is_said_of_one(swept, six, order):
    cells, again = six, read([swept[place] for place in order])
    key = {"cell": pl.String}
    assert cells.frame.sort(*key).equals(again.frame.sort(*key))
    assert {p.title: p.values for p in cells.grid.parameters} == {
        p.title: p.values for p in again.grid.parameters
    }


def test_quantities_in_another_order_give_the_same_page(swept, page):
    again = compare(NoParams(), swept[::-1])
    assert {n for n in page if again[n] != page[n]} == {"comparison.json"}


def test_verdicts_stand_in_words_with_their_evidence(swept):
    table = blocks(record(swept), "table")["verdicts-table"]
    names = [each.name for each in swept]
    for cell, verdict in table["rows"]:
        number = names.index(cell["value"])
        assert verdict["shown"] == ("supported", "refuted", "inconclusive")[number % 3]
        assert verdict["detail"] == f"{number} >= 1"
    (counts,) = rows(blocks(record(swept), "table")["verdicts-counts"])
    assert [counts[each] for each in ("supported", "refuted", "inconclusive")] == [8, 8, 8]


def test_a_cell_leads_to_its_page(swept, page):
    html = page["report.html"].decode()
    for each in swept:
        assert f'<a href="{each.page}">{each.name}</a>' in html


def test_the_terminals_rows_stand_in_the_order_given(swept):
    shown = json.loads(compare(NoParams(), swept[:4][::-1])["comparison.json"])["summary"]
    assert shown["columns"] == ["EV", "L0", "dead", "labelled", "supported", "refuted"]
    assert [row[1] for row in shown["rows"]] == ["7.00", "6.00", "5.00", "4.00"]


# The pictures


def test_a_map_has_one_square_for_each_cell_of_the_grid(swept):
    figures = blocks(record(swept), "figure")
    maps = [name for name in figures if name.startswith("quality-")]
    assert len(maps) == 4
    for name in maps:
        points = {(row["layer"], row["d_sae"], row["k"]) for row in data(figures[name])}
        assert len(points) == len(data(figures[name])) == 24
        drawn = {(row["panel"], row["layer"], row["k"]) for row in data(figures[name])}
        assert len(drawn) == 24


def test_pictures_show_the_numbers_of_the_table(swept):
    found = record(swept)
    cells, figures = by_cell(blocks(found, "table")["cells-table"]), blocks(found, "figure")
    for column in ("explained_variance", "fvu", "l0", "dead_share"):
        for row in data(figures[f"quality-{column}"]):
            assert row["value"] == cells[row["cell"]][column]


def test_scaling_shows_lines_over_both_sizes(tmp_path):
    compared = Matrix(tmp_path, d_sae=[128, 512], k=[8, 16, 32, 64]).compared()
    figures = blocks(record(compared), "figure")
    for x, series in (("k", 2), ("d_sae", 4)):
        for column in ("explained_variance", "labelled_share"):
            own = data(figures[f"scaling-{x}-{column}"])
            assert len(own) == 8
            assert len({row["series"] for row in own}) == series
    assert len(data(figures["scaling-trade-off"])) == 8
    assert {"low", "high"} <= data(figures["scaling-k-labelled_share"])[0].keys()
    for column, ending in (
        ("explained_variance", "a line for each d_sae; n = "),
        ("labelled_share", "a line for each d_sae, with 95 % intervals; n = "),
    ):
        assert ending in figures[f"scaling-k-{column}"]["caption"]


def test_many_sites_are_drawn_as_median_and_range(tmp_path):
    compared = Matrix(tmp_path, layer=[1, 2, 3], position=[1, 2, 3], k=[8, 64]).compared()
    figure = blocks(record(compared), "figure")["scaling-k-explained_variance"]
    values = {k: sorted(1 - (n + 1) / 1000 for n, each in enumerate(compared)
                        if each.differences["k"] == k) for k in (8, 64)}  # fmt: skip
    for row in data(figure):
        own = values[row["k"]]
        assert [row["low"], row["value"], row["high"]] == pytest.approx([own[0], own[4], own[-1]])
    assert "median, smallest and largest over 9 of layer and position" in figure["caption"]


@pytest.mark.parametrize(
    ("axes", "marks"),
    [
        ({"k": [8, 16]}, {"line", "point"}),
        ({"layer": [1, 2]}, {"line", "point"}),
        ({"architecture": ["topk", "abstopk"]}, {"point"}),
        ({"seed": [0, 1]}, {"point"}),
        ({"layer": [1, 2], "k": [8, 16]}, {"rect", "text"}),
        ({"layer": [1, 2], "position": ["1", "last"]}, {"rect", "text"}),
        ({"layer": [1, 2], "architecture": ["topk", "abstopk"]}, {"line", "point"}),
    ],
)
def test_maps_for_two_quantities_lines_for_one_points_for_names(tmp_path, axes, marks):
    figure = blocks(record(Matrix(tmp_path, **axes).compared()), "figure")["quality-fvu"]
    spec = figure["spec"].get("spec", figure["spec"])
    assert {layer["mark"]["type"] for layer in spec["layer"]} == marks


def test_layers_lie_above_each_other_and_positions_beside(tmp_path):
    compared = Matrix(tmp_path, k=[4, 8], position=[1, 3], layer=[2, 14]).compared()
    grid = read(compared).grid
    assert (grid.x.title, grid.y.title) == ("position", "layer")
    assert [each.title for each in grid.panels] == ["k"]


def test_effects_are_mapped_beside_their_control_over_what_they_depend_on(tmp_path):
    matrix = Matrix(tmp_path, layer=[2, 14], position=[1, 3], k=[4, 8])
    for number, steps in enumerate(matrix.steps):
        steps["patched"] = matrix.steps[number - number % 2]["patched"]
    found = record(matrix.compared())
    figure = blocks(found, "figure")["effects-0-map"]
    assert "it does not depend on k" in figure["caption"]
    values = sorted(row["value"] for row in data(figure))
    assert values == pytest.approx([0.4 - n / 1000 for n in (6, 4, 2, 0)])
    assert all(row["shown"].startswith("(") for row in data(figure))
    assert len(rows(blocks(found, "table")["effects-0-table"])) == 8


# What differs


def test_what_varies_is_said_and_whether_the_grid_is_full(swept):
    first, second = texts(record(swept), "cells")
    assert first == ("24 cells, which differ in layer (2, 8, 14), d_sae (128, 512), "
                     "k (8, 16, 32, 64); all else that was asked for is equal.")  # fmt: skip
    assert second.startswith("Every combination is there; 72 of 276 pairs")
    _, holes = texts(record(swept[1:]), "cells")
    assert holes.startswith("23 of 24 combinations are there")


@given(cell_differences())
def test_every_case_has_a_point_of_its_own_and_pairs_are_counted_right(differences):
    names = [f"cell-{number}" for number in range(len(differences))]
    grid = grid_of(names, differences)
    assert len(set(grid.points)) == len(differences)
    naive = sum(
        sum(a != b for a, b in zip(one, other, strict=True)) == 1
        for one, other in combinations(grid.points, 2)
    )
    assert grid.neighbours() == naive
    assert grid.pairs() == len([*combinations(names, 2)])
    assert len({each.field for each in grid.parameters}) == len(grid.parameters)
    assert grid.x is None or grid.x is not grid.y
    for each in grid.parameters:
        assert len(set(each.values)) == len(each.values) > 1
        assert not each.numeric or sorted(each.values) == [*each.values]


def test_runs_that_ask_the_same_are_told_apart_by_their_names(tmp_path):
    first, second = Matrix(tmp_path, k=[8, 16]).compared()
    alike = [Compared(name, each.run) for name, each in (("a", first), ("b", second))]
    found = record(alike)
    assert texts(found, "cells") == [
        "2 cells, which differ in cell (a, b); all else that was asked for is equal."
    ]
    assert [row["cell"] for row in rows(blocks(found, "table")["cells-table"])] == ["a", "b"]


def test_other_problems_are_said(tmp_path):
    matrix = Matrix(tmp_path, k=[8, 16])
    other = matrix.shelf.put("problems", Result(tables={"table": pl.DataFrame({"id": ["b"]})}))
    matrix.steps[1]["data"]["key"] = other.key
    said = texts(record(matrix.compared()), "cells")
    assert any("2 different sets of problems" in each for each in said)


def test_what_only_differs_together_makes_no_axis(tmp_path):
    """Law: along an axis some two cells differ in that parameter only."""
    first, second = Matrix(tmp_path, k=[8, 16]).compared()
    compared = [
        Compared("a", first.run, {"k": 8, "problems": 100}),
        Compared("b", second.run, {"k": 16, "problems": 200}),
    ]
    found = record(compared)
    assert texts(found, "cells")[1].startswith("No two cells differ in one of these only")
    figures = blocks(found, "figure")
    assert not any(name.startswith("scaling-") for name in figures)
    assert {row["cell"] for row in data(figures["quality-fvu"])} == {"a", "b"}
    assert figures["quality-fvu"]["caption"] == "FVU, cell by cell"


# What could not be compared


def test_what_failed_or_lacks_is_named_with_its_reason(tmp_path):
    matrix = Matrix(tmp_path, k=[8, 16, 32])
    matrix.steps[0]["labels"] |= {"status": "failed", "error": "it ran out of luck"}
    matrix.steps[1]["sae"] |= {"status": "not reached"}
    found = record(matrix.compared())
    said = texts(found, "limits")
    assert "k=8: step labels is not compared: failed (it ran out of luck)" in said
    assert "k=8: no labels." in said
    assert "k=16: step sae is not compared: not reached" in said
    cells = by_cell(blocks(found, "table")["cells-table"])
    assert cells["k=8"]["labelled_share"] is None
    assert cells["k=16"]["explained_variance"] is None
    assert cells["k=32"]["explained_variance"] == 1 - 0.003


def test_a_damaged_artifact_is_named_and_not_read(tmp_path):
    matrix = Matrix(tmp_path, k=[8, 16])
    key = matrix.steps[0]["sae"]["key"]
    path = matrix.shelf.store.folder / key / "quality.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    found = record(matrix.compared())
    assert any(each.startswith("k=8: step sae is not compared") for each in texts(found, "limits"))
    assert by_cell(blocks(found, "table")["cells-table"])["k=8"]["fvu"] is None


def test_cells_with_nothing_in_common_still_give_a_page(tmp_path):
    matrix = Matrix(tmp_path, k=[8, 16])
    for steps in matrix.steps:
        for step in steps.values():
            step["status"] = "failed"
    files = compare(NoParams(), matrix.compared())
    assert b"no labels" in files["report.html"]


def test_hostile_names_are_inert(tmp_path):
    nasty = '<script>alert(1)</script>"\u202e'
    first, second = Matrix(tmp_path, k=[8, 16]).compared()
    compared = [
        Compared(nasty, first.run, {nasty: nasty}, "javascript:alert(1)"),
        Compared("b", second.run, {nasty: 3}),
    ]
    files = compare(NoParams(), compared)
    html = files["report.html"].decode()
    assert "<script>alert" not in html
    assert "javascript:alert" not in html
    assert not any("\u202e".encode() in content for content in files.values())
    assert all(re.fullmatch(r"[\w./-]+", name) for name in files)
