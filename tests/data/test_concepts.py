"""Concepts of operations and steps; plain Python over the parsed problems is the oracle."""

import pytest
from concept_room import holds, run_of, supported, table
from hypothesis import given, settings
from hypothesis import strategies as st

from every_concept import every_concept
from strategies import problems
from studyrun_data.concepts.operations import (
    first_operations,
    last_operations,
    only_operations,
    operations,
)
from studyrun_data.concepts.params import (
    Operations,
    Patterns,
    Steps,
    Values,
)
from studyrun_data.concepts.patterns import patterns
from studyrun_data.concepts.steps import steps
from studyrun_data.concepts.values import values
from studyrun_data.table import table_of


@settings(max_examples=40)
@given(problems())
def test_operations_agree_with_plain_python(written):
    frame, runs = table_of(written), [run_of(p) for p in written]
    for family, name, oracle in (
        (operations, "uses", lambda run, op: op in run),
        (only_operations, "only", lambda run, op: set(run) == {op}),
        (first_operations, "first is", lambda run, op: run[:1] == op),
        (last_operations, "last is", lambda run, op: run[-1:] == op),
    ):
        found = holds(frame, family(frame, Operations()))
        assert found == {f"{name} {op}": [oracle(run, op) for run in runs] for op in "+-*/"}


@settings(max_examples=30)
@given(problems(), st.sampled_from([2, 3, 4]), st.integers(1, 3))
def test_direct_patterns_agree_with_plain_python(written, longest, min_support):
    runs = [run_of(p) for p in written]
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


def is_subsequence(part, run):
    rest = iter(run)
    return all(operator in rest for operator in part)


@settings(max_examples=20)
@given(problems(), st.integers(1, 3))
def test_eventual_patterns_agree_with_plain_python(written, min_support):
    runs = [run_of(p) for p in written]
    parts = [a + b for a in "+-*/" for b in "+-*/"]
    parts += [pair + c for pair in parts for c in "+-*/"]
    held = {" later ".join(part): [is_subsequence(part, run) for run in runs] for part in parts}
    expected = {name: where for name, where in held.items() if sum(where) >= min_support}
    params = Patterns(longest=3, min_support=min_support, follows="eventually")
    assert holds(table_of(written), patterns(table_of(written), params)) == expected


@settings(max_examples=40)
@given(problems(), st.integers(1, 3))
def test_numbers_of_steps_agree_with_plain_python(written, min_support):
    counts = [len(p.steps) for p in written]
    named = {n: "1 step" if n == 1 else f"{n} steps" for n in counts}
    exact = {name: [c == n for c in counts] for n, name in named.items()}
    least = {f"at least {name}": [c >= n for c in counts] for n, name in named.items()}
    for kinds, expected in ((["exactly"], exact), (["at-least"], least)):
        params = Steps(kinds, min_support)
        found = holds(table_of(written), steps(table_of(written), params))
        assert found == supported(expected, min_support)


@settings(max_examples=30)
@given(problems())
def test_a_concept_implies_its_parts(written):
    """Law: where a concept holds all its parts hold; no two families use one name."""
    frame = table_of(written)
    concepts = list(every_concept(frame))
    shown = holds(frame, concepts)
    assert len(shown) == len(concepts)
    for concept in concepts:
        assert len(set(concept.parts)) == len(concept.parts)
        assert concept.name not in concept.parts
        for part in set(concept.parts) & shown.keys():
            assert all(not w or p for w, p in zip(shown[concept.name], shown[part], strict=True))


def test_parts_are_concepts_of_their_own():
    """A part that is spelt as no family spells it would never count."""
    frame = table(
        "100*20=2000 | 2000+0.5=2000.5 | 2000.5-0.5=2000 | 2000*3=6000",
        "2*3=6",
        "6-9=-3",
        "",
        answers=[6000, 6, -3, None],
    )
    concepts = list(every_concept(frame))
    parts = {part for concept in concepts for part in concept.parts}
    everywhere = {"at least 0 steps"}
    assert parts - everywhere <= {concept.name for concept in concepts}
    parts = {concept.name: concept.parts for concept in concepts}
    assert parts["* then +"] == ("uses *", "uses +", "* later +")
    assert parts["only *"] == ("uses *", "first is *", "last is *")
    assert parts["4 steps"] == ("at least 0 steps", "at least 1 step", "at least 4 steps")
    assert parts["intermediate 2000"] == (
        "result 2000",
        "contains 2000",
        *("intermediate is a multiple of 10", "intermediate is a multiple of 100"),
        "intermediate is a number of 4 digits",
        *("result is a multiple of 10", "result is a multiple of 100"),
        "result is a number of 4 digits",
        *("contains a multiple of 10", "contains a multiple of 100"),
        "contains a number of 4 digits",
    )
    assert parts["* with 100"][:2] == ("uses *", "contains 100")
    assert parts["answer is a multiple of 100"] == (
        "answer is a multiple of 10",
        "answer is an even number",
        "answer is a whole number",
    )


def test_trap_c1_a_tie_is_a_pattern_not_one_operation():
    """Trap C1: problems that all multiply and add show both, and the pattern of the two."""
    frame = table(*["3*4=12 | 12+5=17"] * 4, "9-2=7")
    shown = holds(
        frame, [*operations(frame, Operations()), *patterns(frame, Patterns(min_support=4))]
    )
    assert shown["uses *"] == shown["uses +"] == shown["* then +"] == [True] * 4 + [False]
    (pattern,) = patterns(frame, Patterns(min_support=4))
    assert (pattern.name, pattern.kind) == ("* then +", "pattern")


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
    assert parts["- then -"] == ("uses -", "- later -")
    assert parts["* then + then /"] == (
        *("uses *", "uses +", "uses /", "* then +", "+ then /"),
        *("* later +", "* later /", "+ later /", "* later + later /"),
    )
    later = patterns(frame, Patterns(longest=3, min_support=1, follows="eventually"))
    assert "* later /" in {concept.name for concept in later}


def test_a_step_without_operation_interrupts_no_pattern():
    frame = table("3*4=12 | 12=12 | 12+1=13")
    assert [c.name for c in patterns(frame, Patterns(min_support=1))] == ["* then +"]


def test_what_holds_everywhere_or_nowhere_says_nothing():
    frame = table(*["1+1=2"] * 3, *["1+1=2 | 2+1=3"] * 2)
    every = Steps(["exactly", "at-least"], min_support=2)
    assert [c.name for c in steps(frame, every)] == ["1 step", "2 steps", "at least 2 steps"]
    assert steps(frame, Steps(min_support=3)) == []


def test_kinds_and_order():
    frame = table("3*4=12 | 12+1=13", "1+1=2", answers=[13, 2])
    kinds = {(c.kind, c.name.split()[0]) for c in every_concept(frame)}
    assert {kind for kind, _ in kinds} == {
        "operation", "pattern", "steps", "value", "value-class", "operation-value", "answer",
    }  # fmt: skip
    assert [c.name for c in operations(frame, Operations(operations=["/", "+"]))] == [
        "uses /",
        "uses +",
    ]


@pytest.mark.parametrize(
    "frame", [table(), table(""), table("apples")], ids=["none", "empty", "unread"]
)
def test_problems_without_steps_show_nothing(frame):
    found = [*every_concept(frame), *values(frame, Values(values=[1]))]
    assert all(where == [False] * frame.height for where in holds(frame, found).values())
    four = {f"{word} {op}" for word in ("uses", "only", "first is", "last is") for op in "+-*/"}
    assert holds(frame, found).keys() == four | {"contains 1"}
