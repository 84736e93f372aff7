"""The `problems` artifact: exact columns, and nothing lost on the way there and back."""

import polars as pl
import pytest
from hypothesis import given, settings

from strategies import problems
from studyrun_data.lines import BadLine
from studyrun_data.problem import Calculation, Malformed, Problem, Reading
from studyrun_data.table import malformed_table, problems_of, table_of

COLUMNS = {
    "id": pl.String(),
    "question": pl.String(),
    "solution": pl.String(),
    "answer": pl.Float64(),
    "split": pl.String(),
    "steps": pl.List(
        pl.Struct(
            {
                "expression": pl.String(),
                "operands": pl.List(pl.Float64()),
                "operators": pl.List(pl.String()),
                "result": pl.Float64(),
            }
        )
    ),
    "n_steps": pl.UInt32(),
}


@settings(max_examples=30)
@given(problems())
def test_a_table_says_all_about_its_problems(written):
    """Law: problems_of(table_of(p)) == p."""
    assert problems_of(table_of(written)) == tuple(written)


@settings(max_examples=30)
@given(problems())
def test_a_table_survives_parquet(tmp_path_factory, written):
    file = tmp_path_factory.mktemp("table") / "t.parquet"
    table_of(written).write_parquet(file)
    assert problems_of(pl.read_parquet(file)) == tuple(written)
    assert dict(pl.read_parquet(file).schema) == COLUMNS


def test_the_columns_are_the_contract():
    step = Calculation("3*4", (3.0, 4.0), ("*",), 12.0)
    table = table_of([Problem("a", "q", "3*4=12", (step,), 12.0, "train")])
    assert dict(table.schema) == COLUMNS
    assert table.row(0, named=True) == {
        "id": "a",
        "question": "q",
        "solution": "3*4=12",
        "answer": 12.0,
        "split": "train",
        "steps": [
            {"expression": "3*4", "operands": [3.0, 4.0], "operators": ["*"], "result": 12.0},
        ],
        "n_steps": 1,
    }


def test_empty_tables_have_the_same_columns():
    assert dict(table_of([]).schema) == COLUMNS
    assert table_of([]).height == 0
    assert problems_of(table_of([])) == ()
    names = dict.fromkeys(("id", "place", "text", "reason"), pl.String())
    assert dict(malformed_table([]).schema) == names


@pytest.mark.parametrize("answer", [None, 0.0])
def test_an_unknown_answer_is_null_and_zero_is_not(answer):
    table = table_of([Problem("a", "q", "", (), answer, "validation")])
    assert table["answer"].to_list() == [answer]


def test_malformed_parts_are_listed_by_id_then_the_lines_left_out():
    problem = Problem("a", "q", "", (), None, "train")
    readings = [Reading(problem, (Malformed("step 1", "2x=4", "why"),)), Reading(problem)]
    table = malformed_table(readings, [BadLine(7, "{", "not JSON")])
    assert table.rows() == [("a", "step 1", "2x=4", "why"), ("", "line 7", "{", "not JSON")]
