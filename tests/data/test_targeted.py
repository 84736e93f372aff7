"""Laws of problems made for one change, and of the answers of their partners."""

from itertools import permutations

import polars as pl
import pytest
from data_room import load

from studyrun import CheckScope
from studyrun_data.change import Change
from studyrun_data.checks import word_problems
from studyrun_data.counterfactual import counterfactual_answers
from studyrun_data.params import OPERATIONS, Gsm8k, WordProblems
from studyrun_data.targeted import contrast_of, exchanges, with_counterfactuals
from studyrun_data.word_problems import load as made

CHANGES = [
    *(Change("operation", *pair) for pair in permutations(OPERATIONS, 2)),
    *(Change("value", *pair) for pair in [(5, 7), (12, 50), (2, 3), (10, 20), (40, 4)]),
]


class Surroundings:
    seed = 3

    def note(self, message: str) -> None:
        raise AssertionError(message)


def pairs_for(change: Change, **given) -> pl.DataFrame:
    wanted = contrast_of(change, WordProblems(**{"problems": 160} | given))
    return made(wanted, Surroundings()).tables["table"]


@pytest.fixture(scope="module", params=CHANGES, ids=str)
def exchange(request):
    """A change with pairs made for it."""
    return request.param, with_counterfactuals(pairs_for(request.param))


def test_the_pairs_have_what_changes(exchange):
    """Law: one place differs; the first of a pair has `old` there, its partner `new`."""
    change, table = exchange
    assert table.height == 160
    assert table["direction"].to_list() == ["forward", "back"] * 80
    answers = table["answer"].to_list()
    swapped = [answers[row ^ 1] for row in range(160)]
    assert table["counterfactual_answer"].to_list() == swapped
    if change.kind == "operation":
        first, second = (
            table.filter(direction=side)["solution"].str.extract_all(r"[-+*/]").to_list()
            for side in ("forward", "back")
        )
        for before, after in zip(first, second, strict=True):
            assert [pair for pair in zip(before, after, strict=True) if len(set(pair)) > 1] == [
                (change.old, change.new)
            ]


def test_where_a_pair_is_the_whole_exchange_the_partner_is_the_counterfactual(exchange):
    """Law: counterfactual is the partner's answer or None, in both directions."""
    change, table = exchange
    whole = table.filter(exchanges(table, change))
    for direction, there in (("forward", change), ("back", change.back)):
        rows = whole.filter(direction=direction)
        found = counterfactual_answers(rows, there)
        known = rows.filter(found.is_not_null())
        assert known["counterfactual_answer"].to_list() == found.drop_nulls().to_list()
        assert known.height > 0.8 * rows.height
        assert rows.height > 15


def test_an_operation_at_two_places_is_exchanged_at_one():
    """Then the partner still has it, the pair is no exchange, and the two answers may differ."""
    change = Change("operation", "+", "-")
    table = with_counterfactuals(pairs_for(change))
    twice = ~exchanges(table, change) & (table["direction"] == "forward")
    found = counterfactual_answers(table, change)
    assert (found.filter(twice) != table["counterfactual_answer"].filter(twice)).sum() > 5


def test_what_a_data_set_asks_for_stays():
    params = WordProblems(
        problems=9, steps=[2, 3], operations=["+", "*"], values=[12, 7], held_out="exclude", seed=4,
        contrast_operations=["+", "*"],
    )  # fmt: skip
    by_value = contrast_of(Change("value", 12.0, 50.0), params)
    assert by_value == WordProblems(
        problems=10, steps=[2, 3], operations=["+", "*"], values=[7], held_out="exclude", seed=4,
        contrast_values=[12, 50],
    )  # fmt: skip
    by_operation = contrast_of(Change("operation", "/", "*"), params)
    assert by_operation == WordProblems(
        problems=10, steps=[2, 3], operations=["+", "*", "/"], values=[12, 7], held_out="exclude",
        seed=4, contrast_operations=["/", "*"],
    )  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_the_parameters_have_no_fault(change):
    wanted = contrast_of(change, WordProblems(problems=7, operations=["+"], values=[5, 12]))
    assert list(word_problems(wanted, CheckScope())) == []


@pytest.mark.parametrize(
    ("change", "params"),
    [
        (Change("operation", "+", "-"), Gsm8k(path="train.jsonl")),
        (Change("operation", "+", "-"), object()),
        (Change("operation", "+", "-", place="first"), WordProblems()),
        (Change("value", 12, 50, within="*"), WordProblems()),
        (Change("value", 12, 101), WordProblems()),
        (Change("value", 0, 50), WordProblems()),
        (Change("value", 12, 0.5), WordProblems()),
    ],
)
def test_none_where_no_such_pairs_can_be_made(change, params):
    assert contrast_of(change, params) is None


def test_one_split_of_the_pairs_has_counterfactuals_too():
    table = pairs_for(Change("value", 5, 7)).filter(split="validation")
    found = with_counterfactuals(table)
    assert found.height == 32
    assert (found["counterfactual_answer"] != found["answer"]).sum() > 20


def test_what_are_no_pairs_is_refused():
    single = load("word-problems", problems=4).tables["table"]
    with pytest.raises(ValueError, match="have no column 'pair': they were not made in pairs"):
        with_counterfactuals(single)
    table = pairs_for(Change("value", 5, 7))
    with pytest.raises(ValueError, match=r"^pair 0 has 1 problem, not 2$"):
        with_counterfactuals(table.slice(1))
    with pytest.raises(ValueError, match=r"^pair 0 has 1 problem, not 2$"):
        exchanges(table.slice(1), Change("value", 5, 7))
