"""The real GSM8K training file, where it is at hand; none of its sentences are kept here."""

import os
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from data_room import load
from test_expression import exact

from studyrun_data.concepts.params import Values
from studyrun_data.concepts.values import values

HERE = Path(__file__).parents[2].parent / "shared" / "data"
FILE = Path(os.environ.get("STUDYRUN_GSM8K") or HERE / "gsm8k" / "train.jsonl")
INDICES = HERE / "seed" / "validation_indices.json"

pytestmark = pytest.mark.skipif(
    not FILE.is_file(), reason=f"no GSM8K at {FILE}; set STUDYRUN_GSM8K to train.jsonl"
)


@pytest.fixture(scope="module")
def real():
    return load("gsm8k", path=str(FILE))


def test_every_problem_is_there_with_its_answer(real):
    table = real.tables["table"]
    assert table.height == 7473
    assert table["id"].to_list() == [f"train_{n}" for n in range(7473)]
    assert table["answer"].null_count() == 0
    assert table["split"].value_counts().sort("count")["count"].to_list() == [1495, 5978]


def test_every_annotation_is_read(real):
    table = real.tables["table"]
    annotations = table["solution"].str.count_matches("<<", literal=True)
    assert annotations.sum() == 23_716
    assert table["n_steps"].to_list() == annotations.to_list()


def test_all_that_is_listed_are_problems_without_annotations(real):
    malformed, table = real.tables["malformed"], real.tables["table"]
    assert malformed["reason"].unique().to_list() == ["it has no <<calculation>>"]
    without = table.filter(~pl.col("solution").str.contains("<<", literal=True))["id"]
    assert malformed["id"].to_list() == without.to_list()
    assert len(without) == 95


def test_steps_agree_with_pythons_parser_and_exact_fractions(real):
    steps = real.tables["table"]["steps"].explode().drop_nulls().struct.unnest()
    wrong = [
        expression
        for expression, result in steps.select("expression", "result").rows()
        if float(exact(expression.replace("//", "/"))) != pytest.approx(result, rel=1e-12)
    ]
    assert wrong == []


def test_numbers_and_operators_make_up_each_expression(real):
    """An oracle without a grammar: cut at the signs, an expression falls into its numbers."""
    steps = real.tables["table"]["steps"].explode().drop_nulls().struct.unnest()
    for step in steps.iter_rows(named=True):
        digits = [float(Fraction(text)) for text in _numbers(step["expression"])]
        assert [abs(operand) for operand in step["operands"]] == digits
        assert len(step["operators"]) == len(digits) - 1


def _numbers(expression: str) -> list[str]:
    for mark in "+-*/()":
        expression = expression.replace(mark, " ")
    return expression.split()


def test_trap_c2_fifty_is_not_found_inside_other_numbers(real):
    """Trap C2: as a substring 50 is in 250, 500 and 1.50, too."""
    table = real.tables["table"]
    (fifty,) = values(table, Values(values=[50]))
    as_number = table.select(fifty.expr.sum()).item()
    as_substring = table["solution"].str.contains("50", literal=True).sum()
    assert 0 < as_number < as_substring / 1.5


@pytest.mark.skipif(not INDICES.is_file(), reason=f"no {INDICES}")
def test_the_published_validation_split(real):
    split = load("gsm8k", path=str(FILE), indices=str(INDICES)).tables["table"]
    chosen = split.with_row_index().filter(pl.col("split") == "validation")["index"]
    assert len(chosen) == 1495
    assert {1297, 576, 5462} <= set(chosen)
