import math
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import texts_of_others
from studyrun_report.writing.text import (
    NOTHING,
    column,
    counted,
    exact,
    harmless,
    interval,
    number,
    plain,
    probability,
    share,
)
from studyrun_report.writing.visible import HIDDEN, INVISIBLE, LONGEST, MARKS


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


@given(texts_of_others(), st.sampled_from([20, 40, 120, LONGEST]))
def test_a_harmless_text_is_one_line_without_hidden_characters_and_not_long(text, longest):
    """Law: no control, format, private, surrogate or separating character is left, but joiners
    within a word of a script that is spelt with them, or within an emoji."""
    found = harmless(text, longest)
    assert len(found) <= longest
    assert len(found.splitlines()) <= 1
    assert found == found.strip()
    kept = re.sub(r"(?<=[^\x00-\u05ff])[\u200c\u200d](?=[^\x00-\u05ff])", "", found)
    assert not {unicodedata.category(c) for c in kept} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert not INVISIBLE & set(found)


def test_every_hidden_character_between_two_letters_is_written_out():
    for code in range(0x110000):
        character = chr(code)
        if character in INVISIBLE or unicodedata.category(character) in HIDDEN - {"Co"}:
            shown = " " if character in "\n\r\t" else f"<U+{code:04X}>"
            assert harmless(f"a{character}b") == f"a{shown}b"


@given(texts_of_others(), st.sampled_from([20, 40, 120, LONGEST]))
def test_a_harmless_text_stays_as_it_is(text, longest):
    """Law: harmless(harmless(text)) == harmless(text)."""
    found = harmless(text, longest)
    assert harmless(found, longest) == found


@given(texts_of_others())
def test_no_letter_carries_many_marks_and_no_mark_stands_first(text):
    found = harmless(text)
    runs = "".join("m" if unicodedata.category(c) in ("Mn", "Me") else " " for c in found)
    assert max(map(len, runs.split()), default=0) <= MARKS
    assert not runs.startswith("m")


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=LONGEST))
def test_ordinary_text_of_any_script_stays_as_it_is(text):
    assert harmless(text) == "".join(f"<U+{ord(c):04X}>" if c in INVISIBLE else c for c in text)


@pytest.mark.parametrize(
    "text",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a non-joiner
        "\u0915\u094d\u200d\u0937",  # Hindi, half a letter
        "\u09b0\u200d\u09cd\u09af",  # Bengali, a joiner before the virama
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family
        "\U0001f44b\U0001f3fd \u2764\ufe0f\u200d\U0001f525",  # skin tone, style, burning heart
        "e\u0323\u0302 \u05e9\u05c1\u05b8\u0591",  # Vietnamese in parts, Hebrew with accents
        "\u05e9\u05dc\u05d5\u05dd 12",  # right to left by its letters alone
    ],
)
def test_what_spelling_needs_stays(text):
    assert harmless(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb\x00c", "a<U+202E>b<U+0000>c"),
        ("one\ntwo\tthree", "one two three"),
        ("\u2066\u2069\u061c\ufeff", "<U+2066><U+2069><U+061C><U+FEFF>"),
        ("\U000e0041\ufff9\x9b\ud800\ue000", "<U+E0041><U+FFF9><U+009B><U+D800><U+E000>"),
        ("us\u200des, us\u00ades", "us<U+200D>es, us<U+00AD>es"),
        ("\u3164\ufe00\u034f\uffff", "<U+3164><U+FE00><U+034F><U+FFFF>"),
        ("a" + "\u0301" * 9 + "b", "a" + "\u0301" * 4 + "<+5 marks>b"),
        ("\u0336gone", "<U+0336>gone"),
        ("\u0645\u200c", "\u0645<U+200C>"),
    ],
)
def test_what_hides_reorders_or_overprints_is_written_out(text, shown):
    assert harmless(text) == shown


def test_what_is_cut_is_counted_where_there_is_room():
    assert harmless("x" * 1_000_000).endswith("x ... (1000000 characters in all)")
    assert harmless("\u202e" * LONGEST) == "<U+202E>" * 46 + " ... (400 characters in all)"
    assert harmless("abcdef" * 9, 20) == ("abcdef" * 9)[:19] + "\N{HORIZONTAL ELLIPSIS}"
    assert harmless("\u202e" * 9, 20) == "<U+202E>" * 2 + "\N{HORIZONTAL ELLIPSIS}"
    assert len(harmless("x" + "\u0301" * 1_000_000)) <= LONGEST


def test_plain_values_hold_no_nan_and_no_hidden_character():
    value = {"a\u202e": [math.nan, math.inf, 1.5, (True, None, "x\x00")]}
    assert plain(value) == {"a<U+202E>": [None, None, 1.5, [True, None, "x<U+0000>"]]}


@given(st.from_regex(r"[a-z]+(_[a-z]+)*", fullmatch=True))
def test_a_column_in_words_has_no_underscore_and_a_count_says_so(name):
    assert column(f"n_{name}") == f"number of {name.replace('_', ' ')}"
    assert "_" not in column(name)
