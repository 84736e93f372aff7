"""Laws of what a problem's answer would be with another number or operation in it."""

import math
import random
import re
from itertools import permutations, product

import pytest
from concept_room import table
from data_room import load
from hypothesis import assume, given
from hypothesis import strategies as st
from test_real_gsm8k import FILE

from strategies import problems, stories
from studyrun_data import generator
from studyrun_data.change import Change, change_between
from studyrun_data.concepts import params
from studyrun_data.concepts.answers import answers
from studyrun_data.concepts.classes import value_classes
from studyrun_data.concepts.operation_values import operations_with_values
from studyrun_data.concepts.operations import (
    first_operations,
    last_operations,
    only_operations,
    operations,
)
from studyrun_data.concepts.patterns import patterns
from studyrun_data.concepts.steps import steps
from studyrun_data.concepts.values import values
from studyrun_data.counterfactual import counterfactual, counterfactual_answers
from studyrun_data.links import numbers_said, readings
from studyrun_data.params import OPERATIONS
from studyrun_data.problem import Calculation
from studyrun_data.solution import read_solution
from studyrun_data.table import table_of

new_values = st.sampled_from([1.0, 2.0, 7.0, 50.0, -3.0, 0.25])
every_operation = st.permutations(OPERATIONS).map(lambda order: tuple(order[:2]))


def value(old: float, new: float, **more) -> Change:
    return Change("value", old, new, **more)


def operation(old: str, new: str, **more) -> Change:
    return Change("operation", old, new, **more)


def worked(solution: str) -> tuple[Calculation, ...]:
    read = read_solution(solution)
    assert read.malformed == ()
    return read.steps


def is_close(found: float | None, expected: float) -> bool:
    return found is not None and math.isclose(found, expected, rel_tol=1e-6, abs_tol=1e-6)


@st.composite
def changed_stories(draw, **wanted):
    """(story, change, the story with the change or None)."""
    story = draw(stories(**wanted))
    if draw(st.booleans()) and story.operators:
        old, new = draw(st.sampled_from(story.operators)), draw(st.sampled_from(OPERATIONS))
        assume(old != new)
        return story, operation(old, new), story.with_operation(old, new)
    assume(story.given)
    old, new = draw(st.sampled_from(story.given)), draw(new_values)
    assume(old != new)
    return story, value(old, new), story.with_value(old, new)


# ---------------------------------------------------------------- laws


@given(changed_stories(), st.booleans())
def test_it_is_the_answer_of_the_changed_story_or_none(changed, with_question):
    """Law: whatever is not certain from the steps (and the question) is None, never wrong."""
    story, change, other = changed
    question = story.question if with_question else ""
    found = counterfactual(story.steps, change, question=question)
    assert found is None or (other is not None and is_close(found, other.steps[-1].result))


@given(changed_stories(plain=True))
def test_it_is_never_none_where_no_two_numbers_can_be_confused(changed):
    """Law: each result used once, no given number equal to one: the change has an answer."""
    story, change, other = changed
    results = [step.result for step in story.steps]
    assume(other is not None and len({*results, *story.given}) == len(results) + len(story.given))
    found = counterfactual(story.steps, change)
    assert is_close(found, other.steps[-1].result)


@given(changed_stories())
def test_changing_and_changing_back_gives_the_original_answer(changed):
    """Law: where `new` did not stand there before and both are defined."""
    story, change, other = changed
    assume(other is not None and change.new not in (*story.given, *story.operators))
    found = counterfactual(other.steps, change.back, question=other.question)
    assert found is None or is_close(found, story.steps[-1].result)


@given(changed_stories(), st.integers(0, 4))
def test_a_side_calculation_with_other_numbers_changes_nothing(changed, place):
    """Law: steps that neither have the old nor lead on are passed over."""
    story, change, _ = changed
    sign = "-" if change.old == "+" else "+"
    (aside,) = worked("7654321+1234567=8888888" if sign == "+" else "7654321-1234567=6419754")
    told = list(story.steps)
    told.insert(min(place, len(told) - 1), aside)
    assert counterfactual(told, change) == counterfactual(story.steps, change)


@given(stories(), new_values)
def test_a_number_that_is_not_given_changes_nothing(story, new):
    """Law: no operand equals it, so there is no counterfactual."""
    absent = 987654.0
    assert counterfactual(story.steps, value(absent, new)) is None
    missing = [each for each in OPERATIONS if each not in story.operators]
    for old, other in product(missing, OPERATIONS):
        if old != other:
            assert counterfactual(story.steps, operation(old, other)) is None


@given(changed_stories())
def test_the_question_only_ever_makes_more_certain(changed):
    """Law: an answer that needs no question stays the same with one."""
    story, change, _ = changed
    without = counterfactual(story.steps, change)
    with_it = counterfactual(story.steps, change, question=story.question)
    assert without is None or with_it == without


@given(problems(), st.lists(stories(), max_size=4), st.data())
def test_a_table_has_what_each_of_its_problems_has(some, told, data):
    """Law: counterfactual_answers == counterfactual row by row."""
    rows = [*table_of(some).rows(named=True)]
    known = [number for row in rows for step in row["steps"] for number in step["operands"]]
    known += [number for story in told for number in story.given]
    change = data.draw(
        st.builds(value, st.sampled_from(known or [1.0]), st.just(77.5))
        | every_operation.map(lambda pair: operation(*pair))
    )
    frame = table_of(some).vstack(table(*(_text(story) for story in told)))
    expected = [
        counterfactual(_steps(row), change, question=row["question"], answer=row["answer"])
        for row in frame.rows(named=True)
    ]
    found = counterfactual_answers(frame, change)
    assert found.to_list() == expected
    assert found.name == "counterfactual_answer"


def _text(story) -> str:
    return "|".join(f"{step.expression}={step.result!r}" for step in story.steps if step)


def _steps(row) -> list[Calculation]:
    return [
        Calculation(s["expression"], tuple(s["operands"]), tuple(s["operators"]), s["result"])
        for s in row["steps"]
    ]


# ------------------------------------------------------- generated problems


def _agreements(change: Change, made) -> list[bool]:
    """Whether it is defined, for every problem with one `old` that has a partner; never wrong."""
    pair = (change.old, change.new)
    key = "operator" if change.kind == "operation" else "value"
    defined = []
    for problem in made:
        places = problem.form.operators if key == "operator" else problem.operands
        partner = generator.contrast(problem, random.Random(0), **{key: pair})
        if places.count(change.old) == 1 and partner is not None:
            read = read_solution(problem.solution).steps
            found = counterfactual(read, change, question=problem.question, answer=problem.answer)
            assert found is None or found == partner.answer
            defined.append(found is not None)
    return defined


@pytest.fixture(scope="module")
def made():
    return generator.generate(2000, 8)


def test_it_is_the_partners_answer_where_one_operation_changed(made):
    """Law: counterfactual is contrast's answer or None, for every pair of operations."""
    defined = [
        found
        for pair in permutations(OPERATIONS, 2)
        for found in _agreements(operation(*pair), made)
    ]
    assert len(defined) > 1500
    assert sum(defined) > 0.9 * len(defined)


def test_it_is_the_partners_answer_where_one_value_changed(made):
    """Law: the same for values."""
    wanted = [(5, 7), (12, 50), (2, 3), (10, 20), (4, 40), (30, 6)]
    defined = [found for pair in wanted for found in _agreements(value(*pair), made)]
    assert len(defined) > 500
    assert sum(defined) > 0.85 * len(defined)


# ------------------------------------------------------- worked out by hand


@pytest.mark.parametrize(
    ("solution", "change", "expected"),
    [
        ("48/2=24 | 48+24=72", value(48, 50), 75),
        ("48/2=24 | 48+24=72", value(2, 4), 60),
        ("48/2=24 | 48+24=72", value(24, 25), None),
        ("48/2=24 | 48+24=72", operation("+", "-"), 24),
        ("48/2=24 | 48+24=72", operation("/", "*"), 144),
        ("48/2=24 | 48+24=72", operation("/", "*", place="first"), 144),
        ("48/2=24 | 48+24=72", operation("/", "*", place="last"), None),
        ("12/60=0.2 | 0.2*50=10", value(12, 18), 15),
        ("12/60=0.2 | 0.2*50=10", value(50, 20), 4),
        ("12/60=0.2 | 0.2*50=10", value(60, 0), None),
        ("100/2=50 | 15*2=30 | 100-50-30-15=5", value(15, 10), 20),
        ("100/2=50 | 15*2=30 | 100-50-30-15=5", value(100, 200), 55),
        ("100/2=50 | 15*2=30 | 100-50-30-15=5", value(2, 4), 0),
        ("100/2=50 | 15*2=30 | 100-50-30-15=5", operation("-", "+"), 195),
        ("100/2=50 | 15*2=30 | 100-50-30-15=5", operation("-", "+", place="first"), None),
        ("100/2=50 | 15*2=30 | 100-50-30-15=5", operation("-", "+", place="last"), 35),
        ("60+12=72 | 60-18=42 | (60+72+42)/3=58", value(12, 9), 57),
        ("60+12=72 | 60-18=42 | (60+72+42)/3=58", value(60, 90), 88),
        ("3*2=6 | 2*(3+2+6)=22", value(2, 4), 76),
        ("(2*111)-50=172 | 111+172=283", operation("*", "+"), 174),
        ("68-4=64 | (60+68+64)/3=64", operation("/", "*"), 576),
        ("10-4-3=3", operation("-", "*", place="first"), 37),
        ("10-4+3=9", operation("+", "*"), 18),
        ("6-4*2=-2", operation("*", "+"), 0),
        ("2*-(3+4)=-14", value(3, 5), -18),
        ("-5+20=15 | 15*2=30", value(-5, 5), 50),
        ("50%*80=40", value(0.5, 0.25), 20),
        ("0.1+0.7=0.8", value(0.7, 0.2), 0.3),
        ("14=14 | 14*2=28", value(14, 15), 30),
        ("0*12=0 | 0+5=5", value(12, 50), 5),
    ],
)  # fmt: skip
def test_worked_out_by_hand(solution, change, expected):
    assert counterfactual(worked(solution), change) == expected


@pytest.mark.parametrize(
    ("solution", "change"),
    [
        ("9-4=5 | 5+3=8 | 5+8=13", value(9, 10)),  # either 5, or both, is 9-4
        ("3*4=12 | 6*2=12 | 12+5=17", value(3, 5)),  # 12 is 3*4 or 6*2
        ("20*3=60 | 5+2=7", value(20, 30)),  # 60 leads nowhere
        ("20*3=60 | 60+5=66", value(5, 6)),  # wrong
        ("10/3=3.33 | 3.33*2=6.66", value(2, 4)),  # rounded
        ("6/(5-2)=2", value(5, 2)),  # divides by zero
    ],
)
def test_none_where_it_is_not_certain(solution, change):
    assert counterfactual(read_solution(solution).steps, change) is None


def test_none_without_steps():
    assert counterfactual((), value(12, 50)) is None


def test_results_that_meet_again_are_told_apart_only_if_one_was_never_given():
    """26 is used twice: certain only where the question does not say 26."""
    steps = worked("13*2=26 | 26*3=78 | 26+78=104")
    assert counterfactual(steps, value(13, 14)) is None
    assert counterfactual(steps, value(13, 14), question="13 apples, then 3 times as many") == 112
    assert counterfactual(steps, value(13, 14), question="13, 26 and 3") is None
    assert counterfactual(steps, value(3, 5), question="13, 26 and 3") == 156


def test_a_minus_in_the_question_belongs_to_its_number():
    steps = worked("5-31=-26 | -26*3=-78 | -26+-78=-104")
    assert counterfactual(steps, value(5, 6), question="5, 31 and 3") == -100
    assert counterfactual(steps, value(5, 6), question="5, 31, 3 and -26") is None


def test_the_numbers_that_a_question_may_say():
    said = numbers_said("Of 1,234 men 45% paid $67.50 and .125")
    assert {1234.0, 45.0, 0.45, 67.5, 0.125, 12.0, 0.5} <= said
    assert said.isdisjoint({1.234, 234.0, 50.5, 23.0})


def test_two_equal_results_that_are_both_used_are_certain():
    steps = worked("20*2=40 | 8*5=40 | 180-(40+40)=100")
    assert counterfactual(steps, value(20, 30), question="20, 8, 5 and 180") == 80


def test_the_answer_must_be_what_the_solution_comes_to():
    steps = worked("20*3=60 | 60+5=65")
    assert counterfactual(steps, value(5, 6), answer=65.0) == 66
    assert counterfactual(steps, value(5, 6), answer=66.0) is None


def test_a_solution_with_too_many_readings_is_not_read():
    steps = worked("1+1=2" + " | 2+0=2" * 9 + " | 2+2=4")
    assert readings(steps) == []
    assert counterfactual(steps, value(1, 3)) is None


@pytest.mark.parametrize("text", ["1+" * 4999 + "1=5000", "(" * 99 + "1+4999" + ")" * 99 + "=5000"])
def test_long_and_deep_expressions(text):
    assert counterfactual(worked(text), value(1, 2)) in (10_000, 5001)


@pytest.mark.parametrize(
    ("solution", "change", "expected"),
    [
        ("12*3=36 | 36+8=44", value(12, 50, within="*"), 158),
        ("12*3=36 | 36+8=44", value(12, 50, within="+"), None),
        ("12*3=36 | 36+12=48", value(12, 50, within="*"), None),
        ("12*3=36 | 36*2=72", operation("*", "+", within=12.0), 30),
        ("4*3=12 | 12*2=24", operation("*", "+", within=12.0), 9),
        ("4*3=12 | 12*2=24", operation("*", "+", within=5.0), None),
    ],
)
def test_within_steps_that_also_have_something(solution, change, expected):
    """An operation changes in these steps alone; a value given elsewhere, too, is not certain."""
    assert counterfactual(worked(solution), change) == expected


# ------------------------------------------------------- what concepts exchange


@pytest.mark.parametrize(
    ("have", "instead", "expected"),
    [
        ("uses *", "uses +", operation("*", "+")),
        ("only *", "only -", operation("*", "-")),
        ("first is *", "first is /", operation("*", "/", place="first")),
        ("last is +", "last is /", operation("+", "/", place="last")),
        ("contains 12", "contains 50", value(12, 50)),
        ("operand -0.5", "operand 50", value(-0.5, 50)),
        ("* with 12", "* with 50", value(12, 50, within="*")),
        ("* with 12", "+ with 12", operation("*", "+", within=12.0)),
        ("* with 12", "+ with 50", None),
        ("* with 12", "* with 12", None),
        ("contains 12", "contains 12", None),
        ("contains 12", "operand 50", None),
        ("contains 12", "uses +", None),
        ("uses *", "first is +", None),
        ("result 12", "result 50", None),
        ("intermediate 12", "intermediate 50", None),
        ("answer 12", "answer 50", None),
        ("* then +", "* then -", None),
        ("* later +", "+ later *", None),
        ("3 steps", "4 steps", None),
        ("at least 3 steps", "at least 4 steps", None),
        ("contains a multiple of 10", "contains a multiple of 100", None),
        ("my own", "yours", None),
    ],
)
def test_what_two_concepts_exchange(have, instead, expected):
    assert change_between(have, instead) == expected
    back = change_between(instead, have)
    assert back == (None if expected is None else expected.back)


def _sources():
    everything = table(
        "12*3=36 | 36+50=86", "12+50=62 | 62/2=31", "50*3=150 | 150-12.5=137.5", "-12*2=-24",
        answers=[86.0, 31.0, 137.5, -24.0],
    )  # fmt: skip
    yes = [
        *(source(everything, params.Operations())
          for source in (operations, only_operations, first_operations, last_operations)),
        *(values(everything, params.Values(where=place)) for place in ("anywhere", "operands")),
    ]  # fmt: skip
    no = [
        *(values(everything, params.Values(where=place))
          for place in ("results", "intermediate", "answer")),
        patterns(everything, params.Patterns(min_support=1)),
        steps(everything, params.Steps(["exactly", "at-least"], min_support=1)),
        value_classes(everything, params.ValueClasses(min_support=1)),
        answers(everything, params.Answers(min_support=1, equals=[86])),
    ]  # fmt: skip
    mixed = operations_with_values(everything, params.OperationValues(min_support=1))
    return yes, no, mixed


def test_the_names_that_sources_write_are_read():
    """Law: any two concepts of one source of operations or values that can be given differ so."""
    yes, no, mixed = _sources()
    assert all(len(concepts) > 1 for concepts in [*yes, *no, mixed])
    for concepts in yes:
        for a, b in permutations(concepts, 2):
            change = change_between(a.name, b.name)
            assert change is not None
            assert change.kind == a.kind.replace("pattern", "operation")
    names = [concept.name for concepts in no for concept in concepts]
    assert [pair for pair in permutations(names, 2) if change_between(*pair)] == []
    for a, b in permutations(mixed, 2):
        parts = [x != y for x, y in zip(a.name.split(), b.name.split(), strict=True)]
        assert (change_between(a.name, b.name) is not None) == (sum(parts) == 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("value", 12, 12), "not two different values: 12, 12"),
        (("value", 12, "+"), "not two different values: 12, '+'"),
        (("value", 12, math.inf), "not two different values: 12, inf"),
        (("operation", "+", "^"), "not two different operations: '+', '^'"),
        (("value", 12, 50, "first"), "a value has no place 'first'; only operations have"),
        (("value", 12, 50, "every", 7), "no value changes within 7"),
        (("operation", "+", "-", "every", "*"), "no operation changes within '*'"),
    ],
)
def test_a_change_of_nothing_is_refused(given, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Change(*given)


def test_a_change_reads_as_what_becomes_what():
    assert str(value(12.0, 0.5)) == "12 -> 0.5"
    assert str(operation("*", "+").back) == "+ -> *"


# ------------------------------------------------------- real problems


@pytest.fixture(scope="module")
def real():
    if not FILE.is_file():
        pytest.skip(f"no GSM8K at {FILE}; set STUDYRUN_GSM8K to train.jsonl")
    return load("gsm8k", path=str(FILE)).tables["table"]


@pytest.mark.parametrize("change", [value(12, 50), value(3, 5), operation("*", "+")], ids=str)
def test_most_real_problems_with_the_number_have_a_counterfactual(real, change):
    """12 stands in many solutions as a result only; then there is none."""
    found = counterfactual_answers(real, change)
    old = change.old if isinstance(change.old, str) else float(change.old)
    having = [
        any(old in (*step["operands"], *step["operators"]) for step in steps)
        for steps in real["steps"]
    ]
    assert found.is_not_null().sum() > 0.5 * sum(having) > 500
    assert not any(found.is_not_null().to_list()[row] for row, has in enumerate(having) if not has)
    changed = (found != real["answer"]).sum()
    assert changed > 0.95 * found.is_not_null().sum()
