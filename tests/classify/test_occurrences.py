"""In which steps of a problem a concept occurs."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from occurring import by_rule, by_trial, solved

from every_concept import every_concept
from strategies import problems
from studyrun import Concept, Evidence
from studyrun_classify.evidence import membership
from studyrun_classify.occurrences import LONGEST, MOST, OTHERS, marked, occurrences, others
from studyrun_data.concepts.operations import operations
from studyrun_data.concepts.params import Operations
from studyrun_data.table import problems_of, table_of

OTHER = "0.37+0.41=0.78 | 0.93-0.21=0.72 | 991*7=6937 | 991/4=247.75"
"""One of each operation; no sort of number is in all of them."""


def numbered(written):
    return table_of(written).with_row_index("problem")


def found(frame, concepts):
    """Concept -> problem -> its steps, for those that hold."""
    held = membership(frame, concepts)
    names = pl.Series([each.name for each in concepts], dtype=pl.String)
    pairs = held.select("problem", concept=names.gather(held["concept"]))
    evidence = Evidence(frame, None, None, tuple(concepts), held, 0)
    table = occurrences(evidence, pairs)
    assert table.select("problem", "concept").equals(pairs)
    return {(concept, problem): steps for problem, concept, steps in table.iter_rows()}


HAND = "12*3=36 | 36-4=32 | 32*2=64 | 64=64 | 64/12+1=6.3"


@pytest.mark.parametrize(
    ("concept", "steps"),
    [
        ("uses *", [0, 2]), ("uses /", [4]), ("contains 12", [0, 4]), ("operand 64", [3, 4]),
        ("result 64", [2, 3]), ("intermediate 64", [2, 3]), ("* with 12", [0]), ("* with 2", [2]),
        ("first is *", [0]), ("last is +", [4]), ("* then -", [0, 1]), ("- then *", [1, 2]),
        ("* then /", [2, 3, 4]), ("/ then +", [4]), ("* later *", [0, 1, 2]), ("5 steps", []),
        ("at least 3 steps", []), ("contains a fraction", [4]), ("result is a fraction", [4]),
        ("intermediate is a number of 2 digits", [0, 1, 2, 3]), ("* later +", [2, 3, 4]),
    ],
)  # fmt: skip
def test_steps_by_hand(concept, steps):
    frame = numbered(solved(HAND, "7+8=15 | 15-3=12 | 12*2=24", "90/9=10 | 10-1=9", "2+2=4"))
    assert found(frame, list(every_concept(frame, longest=2, top=50)))[concept, 0] == steps


@pytest.mark.parametrize(
    ("concept", "solution", "steps"),
    [
        ("only *", "2*3=6 | 6*2=12", [0, 1]), ("only *", "2*3=6 | 6=6", [0, 1]),
        ("first is *", "2=2 | 2*3=6 | 6*2=12", [0, 1]), ("first is *", "2*3=6 | 3*2=6", [0]),
        ("last is *", "6*2=12 | 2*3=6", [1]), ("last is *", "2*3=6 | 6=6", [0, 1]),
        ("* then *", "2*3=6 | 6*2=12 | 12*2=24", [0, 1, 2]), ("* then *", "2*3*4=24 | 6*4=24", [0]),
    ],
)  # fmt: skip
def test_what_is_of_the_ends_or_of_all_steps_is_not_of_any_like_step(concept, solution, steps):
    frame = numbered(solved(solution, "7+8=15 | 15-3=12", "90/9=10", "2+2=4"))
    assert found(frame, list(every_concept(frame, longest=2, top=3)))[concept, 0] == steps


@settings(max_examples=40)
@given(problems(max_size=5))
def test_every_family_occurs_where_its_rule_says(written):
    frame = numbered(written)
    (other,) = table_of(solved(OTHER))["steps"]
    concepts = list(every_concept(frame, longest=3, top=3))
    for problem, concept, steps in marked(frame, concepts, other).iter_rows():
        assert steps == by_rule(concept, written[problem]), concept


@settings(max_examples=15)
@given(problems(max_size=4).filter(lambda made: any(problem.steps for problem in made)))
def test_the_marked_runs_decide_and_no_shorter_run_does(written):
    """Law: with a marked run as it is the problem has the concept, whatever the others are
    exchanged for; with fewer steps as they are it is not so. Naively, one problem at a time."""
    frame = numbered(written)
    concepts = list(every_concept(frame, longest=2, top=3))
    other = others(frame, concepts)
    (tried,) = problems_of(table_of(written[:1]).with_columns(steps=pl.lit(other).implode()))
    by_name = {each.name: each for each in concepts}
    for problem, concept, steps in marked(frame, concepts, other).iter_rows():
        naive = by_trial(by_name[concept], written[problem], tried.steps)
        assert steps == naive, (concept, written[problem])


@settings(max_examples=15)
@given(st.data())
def test_the_order_of_the_problems_does_not_matter(data):
    """Law: occurrences(permuted problems) == occurrences(problems)."""
    frame = numbered(data.draw(problems()))
    concepts = list(every_concept(frame, longest=2, top=3))
    order = data.draw(st.permutations(range(frame.height)))
    assert found(frame[order], concepts) == found(frame, concepts)


@settings(max_examples=40)
@given(problems())
def test_of_two_operations_some_other_step_has_neither(written):
    """Law: as far as any step has neither."""
    frame = numbered(written)
    (tried,) = problems_of(frame.head(1).with_columns(steps=pl.lit(chosen(frame)).implode())) or [0]
    every = {step.operators for problem in written for step in problem.steps}
    if tried:
        had = {step.operators for step in tried.steps}
        for a in "+-*/":
            for b in "+-*/":
                exists = any(not {a, b} & set(each) for each in every)
                assert any(not {a, b} & set(each) for each in had) == exists


def chosen(frame):
    return others(frame, operations(frame, Operations()))


def test_other_steps_are_few_different_and_of_the_problems():
    frame = numbered(solved(*(f"{i}{'+-*'[i % 3]}2=3" for i in range(2_000))))
    texts = chosen(frame).struct.field("expression").to_list()
    assert len(set(texts)) == len(texts) == OTHERS
    assert {text[-2] for text in texts} == set("+-*")


def test_a_concept_of_another_plugin_needs_to_say_nothing():
    """`used on`: a step goes on with the result of the one before it."""
    operands, result = (pl.element().struct.field(name) for name in ("operands", "result"))
    used = pl.col("steps").list.eval(operands.list.contains(result.shift(1))).list.any()
    mixed = used & pl.col("question").str.contains("q")
    concepts = [Concept("used on", "chain", used), Concept("used on and asked", "chain", mixed)]
    frame = numbered(solved("2*3=6 | 5+4=9 | 9-1=8", "2*3=6 | 6+5=11 | 11-1=10", "2*3=6 | 5+7=12"))
    asked = {("used on and asked", i): steps for i, steps in enumerate([[1, 2], [0, 1, 2]])}
    assert found(frame, concepts) == asked | {("used on", i): s for (_, i), s in asked.items()}


def test_what_does_not_read_the_steps_occurs_in_none():
    held = pl.Series([True, False])
    concepts = [Concept("asks", "free", pl.col("question") == "q"), Concept("x", "y", pl.lit(held))]
    frame = numbered(solved("2*3=6", "2+3=5"))
    assert found(frame, concepts) == {("asks", 0): [], ("asks", 1): [], ("x", 0): []}


@pytest.mark.parametrize("steps", [None, "text"])
def test_problems_without_a_list_of_steps_have_empty_lists(steps):
    frame = pl.DataFrame({"problem": pl.Series([0, 1], dtype=pl.UInt32), "id": ["a", "b"]})
    frame = frame if steps is None else frame.with_columns(steps=pl.lit(steps))
    column = pl.col("id" if steps is None else "steps")
    assert found(frame, [Concept("c", "k", column.is_not_null())]) == {("c", 0): [], ("c", 1): []}


def test_long_problems_are_looked_into_as_far_as_time_allows():
    long, longer = (" | ".join(["2*3=6"] * n) for n in (LONGEST + 3, MOST + 1))
    frame = numbered(solved(long, longer, "2+3=5 | 2-3=-1 | 6/2=3"))
    shown = found(frame, list(every_concept(frame, longest=2, top=3)))
    assert shown["only *", 0] == shown["uses *", 0] == list(range(LONGEST + 3))
    assert shown["first is *", 0] == [0]
    assert shown["only *", 1] == shown["uses *", 1] == []


def test_nothing_asked_is_nothing_found():
    frame = numbered(solved("2*3=6", ""))
    assert found(frame, []) == {}
    assert found(frame.clear(), operations(frame, Operations())) == {}
    everywhere = [Concept("few", "steps", pl.col("steps").list.len() < 3)]
    assert found(frame[1:], everywhere) == {("few", 1): []}
