import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyrun_report.text import (
    INVISIBLE,
    LONGEST,
    NOTHING,
    counted,
    exact,
    harmless,
    interval,
    number,
    plain,
    probability,
    share,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"), (1495.0, "1495"), (0.87312, "0.873"), (0.0600, "0.0600"), (12.345, "12.3"),
        (3.62e-5, "3.6e-05"), (-0.5, "-0.500"), (999.7, "1000"), (123456.7, "123457"),
        (None, NOTHING), (math.nan, "undefined"), (math.inf, "undefined"),
    ],
)  # fmt: skip
def test_numbers_have_three_digits(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.2414, "24.1 %"), (0.0035, "0.35 %"), (0.000668, "0.07 %"), (1.0, "100 %"), (0.0, "0 %"),
     (0.11, "11.0 %"), (None, NOTHING), (math.nan, "undefined")],
)  # fmt: skip
def test_shares_are_percentages(value, shown):
    assert share(value).replace("\N{NO-BREAK SPACE}", " ") == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0431, "0.043"),
        (2.14e-11, "2.1e-11"),
        (0.0, "below 1e-300"),
        (1.0, "1.000"),
        (None, NOTHING),
    ],
)
def test_probabilities_keep_their_order_of_magnitude(value, shown):
    assert probability(value) == shown


def test_intervals_and_counts():
    assert interval(0.09, 0.114) == "0.0900 to 0.114"
    assert interval(None, 1.0) == NOTHING
    assert counted(7473) == "7473"
    assert counted(None) == NOTHING
    assert [exact(16.0), exact(2.5), exact(None)] == ["16", "2.5", NOTHING]


@given(st.text(max_size=900))
def test_a_harmless_text_is_one_line_without_hidden_characters_and_not_long(text):
    found = harmless(text)
    assert not any(unicodedata.category(c) in ("Cc", "Cs") or c in INVISIBLE for c in found)
    assert len(found.splitlines()) <= 1
    assert len(found) <= 9 * LONGEST
    assert harmless(found[:LONGEST]) == found[:LONGEST].strip()


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=LONGEST))
def test_ordinary_text_of_any_script_stays_as_it_is(text):
    assert harmless(text) == text


def test_what_is_hidden_is_shown_and_what_is_cut_is_counted():
    assert harmless("a\u202eb\x00c") == "a<U+202E>b<U+0000>c"
    assert harmless("one\ntwo\tthree") == "one two three"
    assert harmless("x" * 1_000_000).endswith("x ... (1000000 characters in all)")


def test_plain_values_hold_no_nan_and_no_hidden_character():
    value = {"a\u202e": [math.nan, math.inf, 1.5, (True, None, "x\x00")]}
    assert plain(value) == {"a<U+202E>": [None, None, 1.5, [True, None, "x<U+0000>"]]}
