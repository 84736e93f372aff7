"""Answers: one number out of a text, by a stated rule (trap P8)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import numbers_as_text
from studyrun_data.answer import marked_text, read_answer, read_number
from studyrun_data.expression import format_number

SENTENCE = "She has 3 boxes of 12, so 36. The answer is: 40"


@pytest.mark.parametrize(
    ("text", "last", "first"),
    [
        ("The answer is : 65", 65, 65),
        (SENTENCE, 40, 3),
        ("It costs $1,080.50.", 1080.5, 1080.5),
        ("15% of them", 15, 15),
        ("minus: -7", -7, -7),
        ("-$7 or $-8", -8, -7),
        ("10-5", 5, 10),
        ("10 -5", -5, 10),
        ("a-5", 5, 5),
        (".5 cups", 0.5, 0.5),
        ("65.", 65, 65),
        ("1,2,3", 3, 1),
        ("1,000,000 people", 1_000_000, 1_000_000),
        ("1234,567", 567, 1234),
        ("\N{MINUS SIGN}4", -4, -4),
        ("-0", 0, 0),
        ("no number", None, None),
        ("", None, None),
        ("9" * 400, None, None),
    ],
)
def test_the_last_and_the_first_number(text, last, first):
    assert read_answer(text) == last
    assert read_answer(text, "last-number") == last
    assert read_answer(text, "first-number") == first


@pytest.mark.parametrize(
    ("text", "answer"),
    [("12 #### 72", 72), ("#### 1 #### 2 and 3", 2), ("72", None), ("#### none", None)],
)
def test_the_number_after_the_marker(text, answer):
    assert read_answer(text, "after-marker") == answer


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="last-number, first-number, after-marker, not 'best'"):
        read_answer("1", "best")  # type: ignore[arg-type]


@given(st.floats(allow_nan=False, allow_infinity=False), st.text("abc .:\n", max_size=9))
def test_a_written_answer_is_read_back(value, before):
    """Law: the answer survives being written after some words."""
    assert read_answer(f"{before} {format_number(value)}") == value
    assert read_number(format_number(value)) == value


@given(numbers_as_text())
def test_percent_and_currency_are_dress(number):
    """Law: an answer of 15% is 15, as GSM8K states it (in a calculation it is 0.15)."""
    text, value = number
    value = value * 100 if "%" in text else value
    assert read_answer(text) == float(value)


@pytest.mark.parametrize(
    ("text", "number"),
    [(" 1,080 ", 1080), ("-$5.50", -5.5), ("15%", 15), ("14000$", 14000), ("72.", 72),
     ("72 apples", None), ("1/2", None), ("3 4", None), ("", None), ("1,00", None), ("--3", None),
     ("nan", None), ("1e5", None), ("-$-5", None)],
)  # fmt: skip
def test_a_stated_answer_must_be_one_number(text, number):
    assert read_number(text) == number


def test_marked_text_is_what_follows_the_last_mark():
    assert marked_text("a #### b #### c") == " c"
    assert marked_text("a") is None
