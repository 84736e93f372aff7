"""Concepts as expressions over the steps; plain Python over the records is the oracle."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import problems
from studyrun_data.concepts import operations, patterns, values
from studyrun_data.params import Operations, Patterns, Values
from studyrun_data.problem import Problem
from studyrun_data.solution import read_solution
from studyrun_data.table import table_of


def table(*solutions: str) -> pl.DataFrame:
    return table_of(
        [
            Problem(f"p{i}", "q", text, read_solution(text).steps, None, "train")
            for i, text in enumerate(solutions)
        ]
    )


def holds(problems: pl.DataFrame, concepts) -> dict[str, list[bool]]:
    """Concept -> for each problem whether it holds."""
    found = problems.select(concept.expr.alias(concept.name) for concept in concepts)
    return found.to_dict(as_series=False)


def run_of(problem: Problem) -> list[str]:
    return [operator for step in problem.steps for operator in step.operators]


def numbers_of(problem: Problem, where: str) -> set[float]:
    operands = {n for step in problem.steps for n in step.operands}
    results = {step.result for step in problem.steps}
    return {"anywhere": operands | results, "operands": operands, "results": results}[where]


@settings(max_examples=40)
@given(problems())
def test_operations_agree_with_plain_python(written):
    found = holds(table_of(written), operations(table_of(written), Operations()))
    assert found == {f"uses {op}": [op in run_of(p) for p in written] for op in "+-*/"}


@settings(max_examples=40)
@given(problems(), st.sampled_from(["anywhere", "operands", "results"]))
def test_values_agree_with_plain_python(written, where):
    wanted = {50: "50", 12: "12", 0.5: "0.5", -12: "-12", 100: "100", 0: "0"}
    concepts = values(table_of(written), Values(values=list(wanted), where=where))
    assert holds(table_of(written), concepts) == {
        f"contains {name}": [value in numbers_of(p, where) for p in written]
        for value, name in wanted.items()
    }


@settings(max_examples=40)
@given(problems(), st.integers(1, 6), st.sampled_from(["anywhere", "operands", "results"]))
def test_the_most_frequent_values_agree_with_plain_python(written, top, where):
    """Law: counted by problems; the smaller number first where two are equally frequent."""
    present = [numbers_of(p, where) for p in written]
    every = {number for numbers in present for number in numbers}
    ranked = sorted(every, key=lambda n: (-sum(n in numbers for numbers in present), n))
    concepts = values(table_of(written), Values(top=top, where=where))
    found = [float(c.name.removeprefix("contains ")) for c in concepts]
    assert found == ranked[:top]


@settings(max_examples=40)
@given(problems(), st.sampled_from([2, 3, 4]), st.integers(1, 3))
def test_patterns_agree_with_plain_python(written, longest, min_support):
    runs = ["".join(run_of(p)) for p in written]
    shown = {
        run[i : i + n]
        for run in runs
        for n in range(2, longest + 1)
        for i in range(len(run) - n + 1)
    }
    expected = {
        " then ".join(part): [part in run for run in runs]
        for part in shown
        if sum(part in run for run in runs) >= min_support
    }
    params = Patterns(longest=longest, min_support=min_support)
    assert holds(table_of(written), patterns(table_of(written), params)) == expected


@settings(max_examples=40)
@given(problems(), st.sampled_from([2, 3, 4]))
def test_a_concept_implies_its_parts(written, longest):
    """Law: where a pattern holds all its parts hold; parts are concepts of their own."""
    frame = table_of(written)
    found = patterns(frame, Patterns(longest=longest, min_support=1))
    shown = holds(frame, [*operations(frame, Operations()), *found])
    for concept in found:
        assert len(set(concept.parts)) == len(concept.parts) >= 1
        for part in concept.parts:
            assert all(not w or p for w, p in zip(shown[concept.name], shown[part], strict=True))


def test_trap_c1_a_tie_is_a_pattern_not_one_operation():
    """Trap C1: problems that all multiply and add show both, and the pattern of the two."""
    frame = table(*["3*4=12 | 12+5=17"] * 4, "9-2=7")
    shown = holds(
        frame, [*operations(frame, Operations()), *patterns(frame, Patterns(min_support=4))]
    )
    assert shown["uses *"] == shown["uses +"] == shown["* then +"] == [True] * 4 + [False]
    (pattern,) = patterns(frame, Patterns(min_support=4))
    assert (pattern.name, pattern.kind) == ("* then +", "pattern")
    assert pattern.parts == ("uses *", "uses +")


def test_trap_c2_values_are_numbers_and_signs_are_no_operation():
    """Trap C2: 50 is not in 500, 100 not in 1000, -20 does not subtract."""
    frame = table("500*2=1000", "-20+70=50", "50.0+50%=50.5", "$1,00=1", "1,000/10=$100")
    shown = holds(frame, values(frame, Values(values=[50, 100, 0.5, 1])))
    assert shown["contains 50"] == [False, True, True, False, False]
    assert shown["contains 100"] == [False, False, False, False, True]
    assert shown["contains 0.5"] == [False, False, True, False, False]
    assert shown["contains 1"] == [False] * 5
    assert holds(frame, operations(frame, Operations(operations=["-"]))) == {"uses -": [False] * 5}


def test_one_expression_may_hold_several_operations():
    frame = table("100-50-30-15=5", "2*3+4=10 | 10/5=2")
    found = patterns(frame, Patterns(longest=3, min_support=1))
    assert holds(frame, found) == {
        "+ then /": [False, True],
        "- then -": [True, False],
        "* then +": [False, True],
        "- then - then -": [True, False],
        "* then + then /": [False, True],
    }
    parts = {concept.name: concept.parts for concept in found}
    assert parts["- then -"] == ("uses -",)
    assert parts["- then - then -"] == ("uses -", "- then -")
    assert parts["* then + then /"] == ("uses *", "uses +", "uses /", "* then +", "+ then /")


def test_a_step_without_operation_interrupts_no_pattern():
    frame = table("3*4=12 | 12=12 | 12+1=13")
    assert [c.name for c in patterns(frame, Patterns(min_support=1))] == ["* then +"]


def test_kinds_order_and_doubles():
    frame = table("3*4=12")
    assert [c.kind for c in operations(frame, Operations())] == ["operation"] * 4
    assert [c.name for c in operations(frame, Operations(operations=["/", "+"]))] == [
        "uses /",
        "uses +",
    ]
    named = values(frame, Values(values=[5, 5.0, -0.0, 1e3]))
    assert [(c.name, c.kind) for c in named] == [
        ("contains 5", "value"),
        ("contains 0", "value"),
        ("contains 1000", "value"),
    ]


@pytest.mark.parametrize(
    "frame", [table(), table(""), table("apples")], ids=["none", "empty", "unread"]
)
def test_problems_without_steps_show_nothing(frame):
    found = [
        *operations(frame, Operations()),
        *values(frame, Values(values=[1])),
        *patterns(frame, Patterns()),
    ]
    assert [name for name, where in holds(frame, found).items() if any(where)] == []
    assert holds(frame, found).keys() == {"uses +", "uses -", "uses *", "uses /", "contains 1"}
    assert values(frame, Values()) == []
    assert all(where == [False] * frame.height for where in holds(frame, found).values())
