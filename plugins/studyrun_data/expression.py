"""Arithmetic as text: a tokenizer and a precedence parser, without `eval`.

    sum     = product (("+" | "-") product)*
    product = factor (("*" | "/") factor)*
    factor  = ["+" | "-"] (number | "(" sum ")")

`x` and the printed signs for times, divided by and minus are read as these, `//` as `/`. A number
may carry `$` and thousands commas, and `50%` is the number 0.5.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal

__all__ = ["Expression", "ExpressionError", "format_number", "read_expression", "tokens"]

MAX_LENGTH = 10_000
MAX_DEPTH = 100
_SPELLINGS = str.maketrans(
    "xX\N{MULTIPLICATION SIGN}\N{MIDDLE DOT}"
    "\N{DIVISION SIGN}\N{DIVISION SLASH}\N{FRACTION SLASH}"
    "\N{MINUS SIGN}\N{EN DASH}$\N{EURO SIGN}\N{POUND SIGN}",
    "****///--   ",
)
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)
        (?P<percent>\s*%)?
      | (?P<sign>//|[-+*/()])
      | (?P<other>\S) )""",
    re.VERBOSE,
)


class ExpressionError(ValueError):
    """The text is no arithmetic expression; the message says what stands in the way."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression with what stands in it."""

    operands: tuple[float, ...]
    """In reading order; the sign of a number belongs to it."""
    operators: tuple[str, ...]
    """In reading order, each one of + - * /."""
    value: float
    """By the usual precedence, in float64."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """`number`, one of + - * / ( ), or `end`."""
    value: float
    text: str
    """As it is written, for messages."""


def read_expression(text: str) -> Expression:
    """The operands, operators and value of an expression such as `(3+5)*-2`.

    Raises:
        ExpressionError: it is none, or its value is undefined or too large for float64.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters")
    return _Parser(tokens(text)).whole()


def format_number(value: float) -> str:
    """The shortest decimal text that reads back as `value`, without exponent: `60`, `0.5`."""
    text = format(Decimal(repr(float(value) + 0.0)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def tokens(text: str) -> list[_Token]:
    """Numbers, signs and brackets in order, and an end.

    Raises:
        ExpressionError: there is something else.
    """
    plain = text.translate(_SPELLINGS)  # one character for one, so places stay
    found = []
    for match in _TOKEN.finditer(plain):
        written = text[match.start() : match.end()].strip()
        if match["other"]:
            raise ExpressionError(f"unexpected {match['other']!r}")
        value = _number(match["number"], bool(match["percent"])) if match["number"] else 0.0
        found.append(_Token((match["sign"] or "number").replace("//", "/"), value, written))
    return [*found, _Token("end", 0.0, "")]


def _number(digits: str, percent: bool) -> float:
    digits = digits.replace(",", "")
    value = float(f"{digits}e-2" if percent else digits)
    if math.isinf(value):
        raise ExpressionError("a number is too large for float64")
    return value


class _Parser:
    """Recursive descent; remembers operands and operators as they are read."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens, self._place, self._depth = tokens, 0, 0
        self._operands: list[float] = []
        self._operators: list[str] = []

    def whole(self) -> Expression:
        value = self._sum()
        if self._next.kind != "end":
            raise ExpressionError(f"an operator is missing {_before(self._next)}")
        if not math.isfinite(value):
            raise ExpressionError("the value is too large for float64")
        return Expression(tuple(self._operands), tuple(self._operators), value)

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _take(self) -> _Token:
        self._place += 1
        return self._tokens[self._place - 1]

    def _operator(self) -> str:
        self._operators.append(self._take().kind)
        return self._operators[-1]

    def _sum(self) -> float:
        value = self._product()
        while self._next.kind in ("+", "-"):
            if self._operator() == "+":
                value += self._product()
            else:
                value -= self._product()
        return value

    def _product(self) -> float:
        value = self._factor()
        while self._next.kind in ("*", "/"):
            if self._operator() == "*":
                value *= self._factor()
            else:
                value = _quotient(value, self._factor())
        return value

    def _factor(self) -> float:
        sign = 1.0
        if self._next.kind in ("+", "-"):
            sign = -1.0 if self._take().kind == "-" else 1.0
        token = self._take()
        if token.kind == "number":
            self._operands.append(sign * token.value + 0.0)  # + 0.0: no negative zero
            return self._operands[-1]
        if token.kind == "(":
            return sign * self._group()
        raise ExpressionError(f"a number is missing {_before(token)}")

    def _group(self) -> float:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"more than {MAX_DEPTH} parentheses inside each other")
        value = self._sum()
        if self._next.kind != ")":
            missing = "')'" if self._next.kind == "end" else "an operator"
            raise ExpressionError(f"{missing} is missing {_before(self._next)}")
        self._take()
        self._depth -= 1
        return value


def _before(token: _Token) -> str:
    return f"before {token.text!r}" if token.text else "at the end"


def _quotient(left: float, right: float) -> float:
    if right == 0:
        raise ExpressionError("it divides by zero")
    return left / right
