"""Which operation of an expression meets which: its shape, to be worked out with other numbers.

The shape stays when an operation becomes another one: with `*` in place of `+`, `10-4+3` is
`(10-4)*3`, for what was worked out first is still worked out first.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from studyrun_data.expression import tokens
from studyrun_data.problem import Calculation

__all__ = ["Shape", "evaluate", "shape_of"]

_WORK: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """Operations that are worked out one after the other, from the left."""

    first: int | Shape
    """The index of an operand, in reading order, or what is worked out before."""
    rest: tuple[tuple[int, int | Shape], ...]
    """The index of each operator, in reading order, and what stands right of it."""
    negative: bool = False
    """Whether a minus stands before its brackets."""


def shape_of(step: Calculation) -> Shape:
    """The shape of a step that was read.

    Without brackets it follows from the operators alone.
    """
    if "(" in step.expression:
        return _parsed(tuple(token.kind for token in tokens(step.expression))[:-1])
    signs = (kind for sign in step.operators for kind in (sign, "number"))
    return _parsed(("number", *signs))


def evaluate(shape: Shape, operands: Sequence[float], operators: Sequence[str]) -> float | None:
    """What the shape gives with these numbers and operators in reading order, in float64.

    None where it divides by zero or is too large.
    """
    try:
        value = _value(shape, operands, operators)
    except ZeroDivisionError:
        return None
    return value + 0.0 if math.isfinite(value) else None


def _value(shape: int | Shape, operands: Sequence[float], operators: Sequence[str]) -> float:
    if isinstance(shape, int):
        return operands[shape]
    value = _value(shape.first, operands, operators)
    for sign, right in shape.rest:
        value = _WORK[operators[sign]](value, _value(right, operands, operators))
    return -value if shape.negative else value


@lru_cache(maxsize=4096)
def _parsed(kinds: tuple[str, ...]) -> Shape:
    return _Parser(kinds).chain(("+", "-"))


class _Parser:
    """Recursive descent over the kinds of an expression's tokens; the expression is a valid one."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self._kinds, self._place = kinds, 0
        self._operands, self._operators = 0, 0

    def chain(self, signs: tuple[str, ...]) -> Shape:
        """A sum of products, or a product of factors."""
        part = self._product if signs == ("+", "-") else self._factor
        first, rest = part(), []
        while self._next in signs:
            self._place += 1
            self._operators += 1
            rest.append((self._operators - 1, part()))
        return Shape(first, tuple(rest))

    @property
    def _next(self) -> str:
        return self._kinds[self._place] if self._place < len(self._kinds) else ""

    def _product(self) -> int | Shape:
        product = self.chain(("*", "/"))
        return product if product.rest else product.first

    def _factor(self) -> int | Shape:
        sign = self._next
        self._place += sign in ("+", "-")
        kind = self._next
        self._place += 1
        if kind == "number":
            self._operands += 1
            return self._operands - 1
        inner = self.chain(("+", "-"))
        self._place += 1
        return Shape(inner.first, inner.rest, negative=sign == "-")
