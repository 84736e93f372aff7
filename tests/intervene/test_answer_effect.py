"""The effect `answer`: every outcome by hand, and what its numbers have to do with each other."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_runs import asked_of, runs_of  # found through the line above

from studyrun import NoParams
from studyrun_intervene.effects.answer import NAMES, measure
from studyrun_intervene.measures import MEASURES

NONE = float("nan")


def number(given):
    return None if given is None else float(given)


def said(before, after, right, expected=None):
    """The measures of one run, by name without `answer_`."""
    runs = runs_of(1, answers=[after], clean_answers=[before])
    known = asked_of(1, answers=[number(right)], expected=[number(expected)])
    found = measure(runs, known, NoParams())
    return {name.removeprefix("answer_"): value.item() for name, value in found.values.items()}


@pytest.mark.parametrize(
    ("before", "after", "right", "expected", "outcome"),
    [
        # changed, right before and after, flipped, difference, matched, towards
        ("The answer is 12", "so 12", 12, 50, (0, 1, 1, 0, 0, 0, 0)),
        ("12", "50", 12, 50, (1, 1, 0, 1, 38, 1, 1)),
        ("12", "40", 12, 50, (1, 1, 0, 1, 28, 0, 1)),
        ("12", "5", 12, 50, (1, 1, 0, 1, -7, 0, 0)),
        ("12", "88", 12, 50, (1, 1, 0, 1, 76, 0, 0)),  # as far beyond it as before
        ("7", "12", 12, None, (1, 0, 1, 1, 5, NONE, NONE)),
        ("7", "9", 12, 50, (1, 0, 0, 0, 2, 0, 1)),
        ("50", "12", 12, 50, (1, 0, 1, 1, -38, 0, NONE)),  # it was there already
        ("12", "12", None, None, (0, NONE, NONE, NONE, 0, NONE, NONE)),
        ("-3.5", "-3.50", -3.5, None, (0, 1, 1, 0, 0, NONE, NONE)),
        # texts without a number
        ("none", "12", 12, 50, (1, 0, 1, 1, NONE, 0, NONE)),
        ("12", "none", 12, 50, (1, 1, 0, 1, NONE, 0, 0)),
        ("none", " none ", 12, 50, (0, 0, 0, 0, NONE, 0, NONE)),
        ("none", "nothing", 12, 50, (1, 0, 0, 0, NONE, 0, NONE)),
        ("", "", None, 50, (0, NONE, NONE, NONE, NONE, 0, NONE)),
    ],
)
def test_outcomes_by_hand(before, after, right, expected, outcome):
    assert list(said(before, after, right, expected).values()) == pytest.approx(
        outcome, nan_ok=True
    )


@pytest.mark.parametrize(
    ("text", "to", "right"),
    [
        ("1000000.9", 1_000_000, 1),
        ("1000001.1", 1_000_000, 0),
        ("0.5000009", 0.5, 1),  # near 0 it is absolute
        ("0.5000011", 0.5, 0),
        ("-2000001.9", -2_000_000, 1),
    ],
)
def test_answers_are_equal_to_a_millionth(text, to, right):
    found = said("1", text, to, to)
    assert (found["right_after"], found["matched"]) == (right, right)
    assert said(str(to), text, to)["changed"] == 1 - right


def test_the_texts_are_kept_as_evidence():
    runs = runs_of(2, answers=["so 1", "so 2"], clean_answers=["1", "3"])
    found = measure(runs, asked_of(2), NoParams())
    assert found.texts == {"before": ["1", "3"], "after": ["so 1", "so 2"]}


def test_no_runs_have_no_outcomes():
    found = measure(runs_of(0, answers=[], clean_answers=[]), asked_of(0), NoParams())
    assert {name: tuple(value.shape) for name, value in found.values.items()} == (
        dict.fromkeys(NAMES, (0,))
    )


few = st.integers(-3, 3).map(float)
texts = st.one_of(few.map("{:g}".format), st.sampled_from(["none", "what"]))


@given(texts, texts, st.none() | few, st.none() | few)
def test_what_the_measures_have_to_do_with_each_other(before, after, right, expected):
    """Law: unchanged answers flip nothing; a match is towards, unless it was one before."""
    found = said(before, after, right, expected)
    if found["changed"] == 0:
        assert found["flipped"] in (0, pytest.approx(NONE, nan_ok=True))
        assert found["right_before"] == pytest.approx(found["right_after"], nan_ok=True)
        assert found["towards"] in (0, pytest.approx(NONE, nan_ok=True))
    if found["matched"] == 1:
        assert found["towards"] in (1, pytest.approx(NONE, nan_ok=True))
    assert (found["matched"] != found["matched"]) == (expected is None)
    assert (found["flipped"] != found["flipped"]) == (right is None)
    again = said(after, before, right, expected)
    for same in ("changed", "flipped"):
        assert found[same] == pytest.approx(again[same], nan_ok=True)
    assert found["difference"] == pytest.approx(-again["difference"], nan_ok=True)


@given(st.lists(st.tuples(texts, texts, st.none() | few, st.none() | few), max_size=6))
def test_runs_are_read_one_by_one(rows):
    """Law: what is said of a run does not depend on the others."""
    before, after, right, expected = ([row[i] for row in rows] for i in range(4))
    runs = runs_of(len(rows), answers=after, clean_answers=before)
    found = measure(runs, asked_of(len(rows), answers=right, expected=expected), NoParams())
    alone = torch.tensor([list(said(*row).values()) for row in rows], dtype=torch.float64)
    together = torch.stack([found.values[each.name] for each in MEASURES["answer"]], 1)
    torch.testing.assert_close(together, alone.reshape(-1, len(NAMES)), equal_nan=True)
