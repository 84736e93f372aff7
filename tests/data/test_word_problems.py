"""The generator as a data set: what a study asks for holds for every problem."""

from collections import Counter
from itertools import islice

import polars as pl
import pytest
from data_room import faults, load
from hypothesis import given, settings
from hypothesis import strategies as st

from studyrun import StudyError
from studyrun_data import generator
from studyrun_data.params import WordProblems
from studyrun_data.word_problems import pairs

operations = st.lists(st.sampled_from("+-*/"), min_size=1, unique=True)
steps = st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, unique=True)


def table_of(**given):
    return load("word-problems", **given).tables["table"]


def numbers_of(row) -> set[float]:
    return {n for step in row["steps"] for n in (*step["operands"], step["result"])}


def operators_of(row) -> list[str]:
    return [operator for step in row["steps"] for operator in step["operators"]]


@settings(max_examples=30)
@given(st.integers(1, 40), operations, steps, st.integers(0, 2**32))
def test_only_what_was_asked_for_occurs(n, operations, steps, seed):
    """Law: the operations, the numbers of steps, 1..100, steps that are right, one answer."""
    table = table_of(problems=n, operations=operations, steps=steps, seed=seed)
    assert table.height == n
    assert table["question"].is_unique().all()
    for row in table.iter_rows(named=True):
        assert set(operators_of(row)) <= set(operations)
        assert row["n_steps"] in steps
        assert row["answer"] == row["steps"][-1]["result"]
        assert all(1 <= number <= 100 for number in numbers_of(row))


def test_problems_are_balanced_over_steps_and_operations():
    table = table_of(problems=1000)
    assert set(table["n_steps"].value_counts()["count"]) == {250}
    counts = Counter(op for row in table.iter_rows(named=True) for op in operators_of(row))
    assert set(counts) == set("+-*/")
    assert max(counts.values()) < 1.2 * min(counts.values())


def test_every_problem_contains_the_values():
    for row in table_of(problems=60, values=[12, 5], steps=[2, 3]).iter_rows(named=True):
        assert {12, 5} <= numbers_of(row)


@pytest.mark.parametrize(("held_out", "expected"), [("only", {True}), ("exclude", {False})])
def test_held_out_problems_only_or_not_at_all(held_out, expected):
    given = {"problems": 50, "held_out": held_out, "seed": 3}
    questions = set(table_of(**given)["question"])
    same = generator.generate(50, 3, held_out=held_out == "only")
    assert {problem.question for problem in same} == questions
    assert {generator.is_held_out(problem) for problem in same} == expected


def test_the_same_seed_gives_the_same_table_and_the_studys_is_the_default():
    first = load("word-problems", study_seed=5, problems=20).tables["table"]
    assert first.equals(table_of(problems=20, seed=5))
    assert not first.equals(table_of(problems=20, seed=6))


def test_the_split_has_the_share_asked_for():
    assert table_of(problems=50, validation=0.3)["split"].to_list().count("validation") == 15


@pytest.mark.parametrize(("old", "new"), [("+", "-"), ("*", "/"), ("-", "*")])
def test_partners_differ_in_one_operation(old, new):
    """Law: one operator of the first problem is `old`, its partner's there is `new`."""
    table = table_of(problems=80, contrast_operations=[old, new], seed=1)
    for first, second in _pairs(table):
        places = [
            place
            for place, (a, b) in enumerate(
                zip(operators_of(first), operators_of(second), strict=True)
            )
            if a != b
        ]
        assert len(places) == 1
        assert (operators_of(first)[places[0]], operators_of(second)[places[0]]) == (old, new)
        assert _given(first) == _given(second)


def test_partners_differ_in_one_given_number():
    table = table_of(problems=60, contrast_values=[5, 7], seed=1)
    for first, second in _pairs(table):
        assert operators_of(first) == operators_of(second)
        before, after = _given(first), _given(second)
        assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [("5", "7")]


def _pairs(table: pl.DataFrame) -> list[tuple[dict, dict]]:
    """The pairs, each checked to be complete, in one split and with questions of their own."""
    assert table.schema["pair"] == pl.UInt32
    assert table["question"].is_unique().all()
    assert set(table["pair"].value_counts()["count"]) == {2}
    assert (table.group_by("pair").agg(pl.col("split").n_unique())["split"] == 1).all()
    rows = table.sort("pair", maintain_order=True).to_dicts()
    return list(zip(rows[::2], rows[1::2], strict=True))


def _given(row) -> list[str]:
    words = row["question"].replace(".", " ").replace("?", " ").replace(",", " ").split()
    return [word for word in words if word.isdigit()]


def test_pairs_are_balanced_over_steps_and_keep_the_other_wishes():
    table = table_of(
        problems=48, contrast_operations=["+", "-"], operations=["+", "-", "*"],
        values=[12], steps=[2, 3, 4], held_out="exclude",
    )  # fmt: skip
    assert set(table["n_steps"].value_counts()["count"]) == {16}
    for row in table.iter_rows(named=True):
        assert 12 in numbers_of(row)
        assert set(operators_of(row)) <= {"+", "-", "*"}


def test_the_partner_of_a_held_out_problem_is_held_out_too():
    params = WordProblems(contrast_values=[5, 7], steps=[2, 3], held_out="only")
    for pair in islice(pairs(params, seed=0), 10):
        assert [generator.is_held_out(problem) for problem in pair] == [True, True]


def test_without_pairs_there_is_no_such_column():
    assert "pair" not in table_of(problems=4).columns


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"values": [1, 97, 99], "operations": ["-"]}, "no further problem with 1 steps"),
        (
            {"contrast_values": [5, 100], "operations": ["*"]},
            "no further contrast pair with 1 steps",
        ),
    ],
    ids=["values that do not go together", "a value that no partner can have"],
)
def test_what_does_not_exist_is_refused_with_the_cure(given, reason):
    with pytest.raises(StudyError) as caught:
        load("word-problems", problems=2, steps=[1], **given)
    assert str(caught.value).startswith(f"word-problems: {reason}")
    assert str(caught.value).endswith(
        "ask for fewer problems, or allow more operations, steps or values"
    )


@pytest.mark.parametrize(
    ("given", "path", "message"),
    [
        ({"values": [1, 2, 3, 4]}, ("values",),
         "a problem of 1 steps has 3 numbers, too few to contain 4 values"),
        ({"values": [1, 2, 3], "contrast_values": [4, 5]}, ("values",),
         "a problem of 1 steps has 3 numbers, too few to contain 4 values"),
        ({"values": [7, 7], "steps": [2]}, ("values", 1), "7 is named twice"),
        ({"steps": [1, 2, 1]}, ("steps", 2), "1 is named twice"),
        ({"operations": ["+", "+"]}, ("operations", 1), "'+' is named twice"),
        ({"contrast_operations": ["+", "+"]}, ("contrast_operations", 1), "'+' is named twice"),
        ({"contrast_operations": ["+", "*"], "operations": ["+", "-"]}, ("contrast_operations", 1),
         "'*' is not among the operations of this data set"),
        ({"contrast_operations": ["+", "*"], "contrast_values": [1, 2]}, ("contrast_values",),
         "a pair differs in an operation or in a value, not both"),
        ({"contrast_values": [5, 5]}, ("contrast_values", 1), "5 is named twice"),
        ({"contrast_values": [5, 6], "values": [5]}, ("contrast_values", 0),
         "5 cannot both change and stand in every problem"),
        ({"contrast_values": [5, 6], "problems": 7}, ("problems",),
         "7 problems are no whole number of pairs"),
    ],
)  # fmt: skip
def test_what_no_problem_can_have_is_a_fault_before_the_run(given, path, message):
    assert [(fault.path, fault.message) for fault in faults("word-problems", **given)] == [
        (path, message)
    ]


def test_the_defaults_have_no_fault():
    assert faults("word-problems") == []
    assert faults("word-problems", contrast_operations=["+", "-"], problems=10) == []
