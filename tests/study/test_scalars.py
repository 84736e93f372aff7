"""Plain scalars against a table written from YAML 1.2.2, sections 10.2.1 and 10.3.2."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyrun.reading.scalars import resolve

NULLS = ["null", "Null", "NULL", "~", ""]
TRUES, FALSES = ["true", "True", "TRUE"], ["false", "False", "FALSE"]
INTEGERS = {
    "0": 0,
    "-0": 0,
    "+12": 12,
    "-19": -19,
    "010": 10,
    "-007": -7,
    "0o17": 15,
    "0o7": 7,
    "0x3A": 58,
    "0xff": 255,
    "9223372036854775807": 2**63 - 1,
    "-9223372036854775808": -(2**63),
    "0" * 6000 + "1": 1,
}
FLOATS = {
    "0.": 0.0,
    "-0.0": -0.0,
    ".5": 0.5,
    "+.5": 0.5,
    "+12e03": 12000.0,
    "-2E+05": -200000.0,
    "1e-4": 1e-4,
    "1e3": 1000.0,
    "685.230_15".replace("_", ""): 685.23015,
    "1.5e+300": 1.5e300,
}
TEXTS = [
    "no", "yes", "on", "off", "y", "N", "nULL", "tRUE", "nan", "inf", "Infinity", "NaN", "None",
    "1:30", "190:20:30", "2026-11-22", "2026-11-22 10:00:00", "1_000", "0b11", "0o8", "0o", "0x",
    "0xG", "-0x1", "+0o7", "0X1", "0O7", ".", "-", "+", "e3", ".e3", "1e", "1e+", "1.2.3", "-.nan",
    "+.nan", "--1", "1 2", "=", "<<", "½", "٣", "²",
]  # fmt: skip
NO_NUMBERS = [
    ".inf", "-.inf", "+.Inf", ".INF", ".nan", ".NaN", ".NAN", "1e999", "-1e999", "1" * 400 + ".0",
    "9223372036854775808", "-9223372036854775809", "1" * 100_000, "0x" + "f" * 17, "0o" + "7" * 30,
]  # fmt: skip


@pytest.mark.parametrize("text", NULLS)
def test_null(text):
    assert resolve(text) is None


@pytest.mark.parametrize(
    ("text", "value"), [*((t, True) for t in TRUES), *((t, False) for t in FALSES)]
)
def test_booleans(text, value):
    assert resolve(text) is value


@pytest.mark.parametrize(("text", "value"), INTEGERS.items(), ids=lambda item: str(item)[:20])
def test_integers(text, value):
    found = resolve(text)
    assert (type(found), found) == (int, value)


@pytest.mark.parametrize(("text", "value"), FLOATS.items())
def test_floats(text, value):
    found = resolve(text)
    assert (type(found), found, math.copysign(1, found)) == (float, value, math.copysign(1, value))


@pytest.mark.parametrize("text", TEXTS)
def test_everything_else_is_text(text):
    assert resolve(text) == text


@pytest.mark.parametrize("text", NO_NUMBERS, ids=lambda text: text[:20])
def test_numbers_that_json_or_64_bits_cannot_hold_are_refused(text):
    with pytest.raises(ValueError, match=r"64 bits|float|infinite"):
        resolve(text)


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_reads_back(value):
    """Law: resolve(str(i)) == i."""
    assert resolve(str(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_reads_back_exactly(value):
    """Law: resolve(repr(x)) == x, as a float."""
    found = resolve(repr(value))
    assert isinstance(found, float)
    assert found == value


@given(st.text())
def test_nothing_else_is_raised(text):
    """Law: any text is a scalar or a ValueError."""
    try:
        value = resolve(text)
    except ValueError:
        return
    assert value is None or isinstance(value, bool | int | float) or value == text
