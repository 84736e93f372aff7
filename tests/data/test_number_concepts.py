"""Concepts of numbers: which, where, of what sort, with which operation; plain Python judges."""

from dataclasses import replace

import pytest
from concept_room import holds, numbers_of, supported, table
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import problems
from studyrun_data.concepts.answers import answers
from studyrun_data.concepts.classes import value_classes
from studyrun_data.concepts.operation_values import operations_with_values
from studyrun_data.concepts.operations import operations
from studyrun_data.concepts.params import (
    Answers,
    Operations,
    OperationValues,
    ValueClasses,
    Values,
)
from studyrun_data.concepts.values import values
from studyrun_data.table import table_of

NAMES = {
    "anywhere": "contains",
    "operands": "operand",
    "results": "result",
    "intermediate": "intermediate",
    "answer": "answer",
}
IN_STEPS = ["anywhere", "operands", "results", "intermediate"]
ALL_PROPERTIES = ["whole", "fraction", "negative", "even", "odd"]


def answered(written):
    """The problems with an answer of ordinary size, the last result, where there is one."""
    return [replace(p, answer=p.steps[-1].result if p.steps else None) for p in written]


def sorts(number: float) -> set[str]:
    """What a number is, from its digits."""
    whole, size = float(number).is_integer(), abs(number)
    found = {f"a multiple of {m}" for m in (3, 10, 100) if whole and number and not number % m}
    if size >= 1:
        digits = len(str(int(size)))
        found.add(f"a number of {digits} digit{'s' * (digits > 1)}")
    found.add("a whole number" if whole else "a fraction")
    if whole:
        found.add("an odd number" if int(number) % 2 else "an even number")
    return found | ({"a negative number"} if number < 0 else set())


NOUNS = [
    "a multiple of 10",
    "a multiple of 3",
    "a multiple of 100",
    *("a number of 1 digit", "a number of 3 digits", "a number of 2 digits"),
    *("a whole number", "a fraction", "a negative number", "an even number", "an odd number"),
]
CHOSEN = {"multiples_of": [10, 3, 100], "digits": [1, 3, 2], "properties": ALL_PROPERTIES}


@settings(max_examples=40)
@given(problems(), st.sampled_from([*NAMES]))
def test_values_agree_with_plain_python(written, where):
    wanted = {50: "50", 12: "12", 0.5: "0.5", -12: "-12", 100: "100", 0: "0"}
    written = answered(written)
    concepts = values(table_of(written), Values(values=list(wanted), where=where))
    assert holds(table_of(written), concepts) == {
        f"{NAMES[where]} {name}": [value in numbers_of(p, where) for p in written]
        for value, name in wanted.items()
    }


@settings(max_examples=40)
@given(problems(), st.integers(1, 6), st.sampled_from([*NAMES]))
def test_the_most_frequent_values_agree_with_plain_python(written, top, where):
    """Law: counted by problems; the smaller number first where two are equally frequent."""
    present = [numbers_of(p, where) for p in written]
    every = {number for numbers in present for number in numbers}
    ranked = sorted(every, key=lambda n: (-sum(n in numbers for numbers in present), n))
    concepts = values(table_of(written), Values(top=top, where=where))
    found = [float(c.name.removeprefix(f"{NAMES[where]} ")) for c in concepts]
    assert found == ranked[:top]


@settings(max_examples=40)
@given(problems(), st.sampled_from(IN_STEPS), st.integers(1, 3))
def test_classes_agree_with_plain_python(written, where, min_support):
    word = "contains" if where == "anywhere" else f"{NAMES[where]} is"
    present = [{noun for n in numbers_of(p, where) for noun in sorts(n)} for p in written]
    expected = {f"{word} {noun}": [noun in each for each in present] for noun in NOUNS}
    params = ValueClasses(where, **CHOSEN, min_support=min_support)
    found = holds(table_of(written), value_classes(table_of(written), params))
    assert found == supported(expected, min_support)
    assert list(found) == [name for name in expected if name in found]


@settings(max_examples=40)
@given(problems(), st.integers(1, 3))
def test_answers_agree_with_plain_python(written, min_support):
    written = answered(written)
    present = [p.answer for p in written]
    expected = {
        f"answer is {noun}": [a is not None and noun in sorts(a) for a in present] for noun in NOUNS
    }
    expected |= {f"answer {n}": [a == n for a in present] for n in (12, 50)}
    params = Answers(**CHOSEN, equals=[12, 50], min_support=min_support)
    found = holds(table_of(written), answers(table_of(written), params))
    assert found == supported(expected, min_support)


@settings(max_examples=40)
@given(
    problems(),
    st.lists(st.sampled_from("+-*/"), min_size=1, unique=True),
    st.sampled_from([None, [12.0, 50.0, 0.5]]),
    st.integers(1, 2),
    st.integers(1, 5),
)
def test_operations_with_values_agree_with_plain_python(written, chosen, only, min_support, top):
    present = [
        {
            (op, number)
            for step in p.steps
            for op in step.operators
            for number in (*step.operands, step.result)
            if op in chosen and (only is None or number in only)
        }
        for p in written
    ]
    every = {pair for pairs in present for pair in pairs}
    held = {pair: [pair in pairs for pairs in present] for pair in every}
    common = supported(held, min_support)
    ranked = sorted(common, key=lambda pair: (-sum(held[pair]), pair[1], "+-*/".index(pair[0])))
    params = OperationValues(chosen, only, min_support, top)
    frame = table_of(written)
    concepts = operations_with_values(frame, params)
    named = [f"{op} with {number + 0.0:.15g}" for op, number in ranked[:top]]
    assert [c.name for c in concepts] == named
    assert list(holds(frame, concepts).values()) == [held[pair] for pair in ranked[:top]]


def test_trap_c2_values_are_numbers_and_signs_are_no_operation():
    """Trap C2: 50 is not in 500, 100 not in 1000, -20 does not subtract."""
    frame = table("500*2=1000", "-20+70=50", "50.0+50%=50.5", "$1,00=1", "1,000/10=$100")
    shown = holds(frame, values(frame, Values(values=[50, 100, 0.5, 1])))
    assert shown["contains 50"] == [False, True, True, False, False]
    assert shown["contains 100"] == [False, False, False, False, True]
    assert shown["contains 0.5"] == [False, False, True, False, False]
    assert shown["contains 1"] == [False] * 5
    assert holds(frame, operations(frame, Operations(operations=["-"]))) == {"uses -": [False] * 5}


def test_the_operation_and_its_number_stand_in_one_step():
    frame = table("3*4=12 | 12+5=17", "3*5=15 | 12+3=15", "3+12=15")
    params = OperationValues(["*"], [12.0], min_support=1)
    assert holds(frame, operations_with_values(frame, params)) == {
        "* with 12": [True, False, False]
    }


def test_the_last_result_is_not_intermediate():
    frame = table("3*4=12 | 12+5=17", "3*4=12", "2+2=4 | 3*4=12")
    assert holds(frame, values(frame, Values(values=[12], where="intermediate"))) == {
        "intermediate 12": [True, False, False]
    }


def test_the_answer_is_that_of_the_data_and_not_of_the_steps():
    frame = table("3*4=12", "3*4=12", answers=[12, None])
    (answer,) = values(frame, Values(values=[12], where="answer"))
    assert holds(frame, [answer]) == {"answer 12": [True, False]}
    assert "contains 12" not in answer.parts


def test_zero_is_round_for_nobody_and_has_no_digits():
    frame = table("0*5=0", "10*5=50")
    params = ValueClasses("results", digits=[1, 2], min_support=1, properties=["even"])
    assert holds(frame, value_classes(frame, params)) == {
        "result is a multiple of 10": [False, True],
        "result is a number of 2 digits": [False, True],
    }


def test_a_number_too_large_to_know_its_last_digits_is_round_for_nobody():
    """2.1456199514424144e19 leaves no remainder by 100 and one by 10, as floats go."""
    frame = table("1+1=2", "1+1=2", answers=[2.1456199514424144e19, 200])
    params = Answers([], min_support=1)
    assert holds(frame, answers(frame, params)) == {
        "answer is a multiple of 10": [False, True],
        "answer is a multiple of 100": [False, True],
        "answer is a number of 3 digits": [False, True],
    }


def test_doubles_are_one_concept():
    frame = table("3*4=12", "1+1=2", answers=[12, 2])
    named = values(frame, Values(values=[5, 5.0, -0.0, 1e3]))
    assert [c.name for c in named] == ["contains 5", "contains 0", "contains 1000"]
    twice = Answers(["even", "even"], [10, 10], [1, 1], [12, 12.0], min_support=1)
    names = [c.name for c in answers(frame, twice)]
    assert names == ["answer is a number of 1 digit", "answer 12"]


@pytest.mark.parametrize("family", [value_classes, answers, operations_with_values])
def test_without_problems_there_is_nothing_to_find(family):
    params = {value_classes: ValueClasses(), answers: Answers(equals=[1])}
    assert family(table(), params.get(family, OperationValues())) == []
