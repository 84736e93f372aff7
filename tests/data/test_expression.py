"""Laws of reading arithmetic; Python's own parser over exact fractions is the oracle."""

import ast
import math
import re
from fractions import Fraction

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from strategies import arithmetic, numbers_as_text
from studyrun_data.expression import ExpressionError, format_number, read_expression


def exact(text: str) -> Fraction:
    """The value of plain arithmetic by Python's parser; SyntaxError where it is none."""
    stripped = re.sub(r"(?<![\d.])0+(?=\d)", "", text)  # Python knows no leading zeros
    return _exact(ast.parse(stripped.strip(), mode="eval").body, stripped.strip())


def _exact(node: ast.expr, source: str) -> Fraction:
    match node:
        case ast.Constant():
            return Fraction(ast.get_source_segment(source, node))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_exact(inner, source)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return _exact(inner, source)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _exact(left, source), _exact(right, source)
            return {
                ast.Add: a.__add__,
                ast.Sub: a.__sub__,
                ast.Mult: a.__mul__,
                ast.Div: a.__truediv__,
            }[type(op)](b)
    raise SyntaxError(ast.dump(node))


@given(arithmetic())
def test_operands_and_operators_come_in_reading_order(built):
    """Law: reading what was written gives back its numbers and operators."""
    read = read_expression(built.text)
    assert read.operands == tuple(map(float, built.operands))
    assert read.operators == built.operators


@given(arithmetic())
def test_value_is_that_of_exact_arithmetic(built):
    """Law: |value - exact| <= 1e-12 * the sum of magnitudes."""
    read = read_expression(built.text)
    assert abs(Fraction(read.value) - built.value) <= Fraction(1, 10**12) * (built.bound + 1)


@settings(max_examples=500)
@given(st.text("0123456789.+-*/() ", min_size=1, max_size=12))
@example("1-2-3*-4/(5-.5)")
@example("-(2)*3")
def test_agrees_with_pythons_parser_on_any_text(text):
    """Law: what is read is arithmetic for Python too, with the same value."""
    assume("//" not in text)
    try:
        read = read_expression(text)
    except ExpressionError:
        with pytest.raises((SyntaxError, ZeroDivisionError, KeyError, ValueError)):  # `...` is one
            _only_ours(text)
        return
    assert math.isclose(read.value, exact(text), rel_tol=1e-9, abs_tol=1e-9)


def _only_ours(text: str) -> None:
    """Evaluates for Python what is arithmetic for us: SyntaxError for two signs in a row."""
    if re.search(r"(^|[-+*/(])\s*[-+]\s*[-+]", text):
        raise SyntaxError("two signs")
    exact(text)


@given(numbers_as_text())
def test_numbers_in_dress_are_the_same_numbers(number):
    """Law: `$`, `%`, thousands commas and a bare point change the writing, not the value."""
    text, value = number
    assert read_expression(text).operands == (float(value),)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_format_number_is_undone_by_reading(value):
    text = format_number(value)
    assert read_expression(text).value == value
    assert re.fullmatch(r"-?[0-9]+(\.[0-9]*[1-9])?", text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(60.0, "60"), (0.5, "0.5"), (-0.0, "0"), (1e21, "1" + "0" * 21), (1e-7, "0.0000001")],
)
def test_format_number_is_short_and_has_no_exponent(value, text):
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("text", "operands", "operators", "value"),
    [
        ("100-50-30-15", (100, 50, 30, 15), "---", 5),
        ("(2+3)*4", (2, 3, 4), "+*", 20),
        ("2+3*4", (2, 3, 4), "+*", 14),
        ("24/4/3", (24, 4, 3), "//", 2),
        ("71+-3", (71, -3), "+", 68),
        ("5--3", (5, -3), "-", 8),
        ("-(3+4)*2", (3, 4, 2), "+*", -14),
        ("(-17)+43", (-17, 43), "+", 26),
        ("20*.5", (20, 0.5), "*", 10),
        ("$1,234.50 x 2", (1234.5, 2), "*", 2469),
        ("-$5+$-2", (-5, -2), "+", -7),
        ("50%*80", (0.5, 80), "*", 40),
        ("12.5 % * 80", (0.125, 80), "*", 10),
        ("560//10", (560, 10), "/", 56),
        ("1/2*3/4", (1, 2, 3, 4), "/*/", 0.375),
        ("7\N{MULTIPLICATION SIGN}8\N{DIVISION SIGN}4\N{MINUS SIGN}1", (7, 8, 4, 1), "*/-", 13),
        ("007", (7,), "", 7),
    ],
)
def test_worked_examples(text, operands, operators, value):
    read = read_expression(text)
    assert (read.operands, "".join(read.operators), read.value) == (operands, operators, value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a number is missing at the end"),
        ("3+", "a number is missing at the end"),
        ("2x", "a number is missing at the end"),
        ("2**3", "a number is missing before '*'"),
        ("--3", "a number is missing before '-'"),
        ("()", "a number is missing before ')'"),
        ("3 3", "an operator is missing before '3'"),
        ("1 1/2", "an operator is missing before '1'"),
        ("2(3)", "an operator is missing before '('"),
        ("7%3", "an operator is missing before '3'"),
        ("(3 4)", "an operator is missing before '4'"),
        ("3)", "an operator is missing before ')'"),
        ("(3", "')' is missing at the end"),
        ("1,00", "unexpected ','"),
        ("1,0000", "unexpected ','"),
        ("1e5", "unexpected 'e'"),
        ("3 apples", "unexpected 'a'"),
        ("5/(3-3)", "it divides by zero"),
        ("9" * 400, "a number is too large for float64"),
        ("9" * 300 + "*" + "9" * 300, "the value is too large for float64"),
        ("(" * 101 + "1" + ")" * 101, "more than 100 parentheses inside each other"),
        ("1+" * 5000 + "1", "longer than 10000 characters"),
    ],
)
def test_what_is_no_arithmetic_is_refused_with_the_reason(text, reason):
    with pytest.raises(ExpressionError) as caught:
        read_expression(text)
    assert str(caught.value) == reason


def test_long_chains_are_read():
    chain = "+".join(["1"] * 4000)
    assert read_expression(chain).value == 4000
    assert len(read_expression(chain).operators) == 3999


def test_a_hundred_nested_parentheses_are_read():
    assert read_expression("(" * 100 + "1" + ")" * 100).value == 1
