"""The calculations that problems are made of: whole numbers up to 100, with four operators."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from functools import cache

MAX_NUMBER = 100
OPERATORS = ("+", "-", "*", "/")
SIZES = (25, 50, 100)
"""The largest number allowed in a problem is drawn from these, so small numbers are common."""


@dataclass(frozen=True, slots=True)
class WordStep:
    """One calculation, for example 20*3=60."""

    left: int
    operator: str
    right: int
    result: int

    def __str__(self) -> str:
        return f"{self.left}{self.operator}{self.right}={self.result}"


def compute(left: int, operator: str, right: int, size: int = MAX_NUMBER) -> int | None:
    """The result, or None where the calculation is not one of ours.

    Ours have operands and result in 1..size and exact division; none multiplies or divides by 1,
    or divides a number by itself.
    """
    if not (1 <= left <= size and 1 <= right <= size):
        return None
    if operator in "*/" and (right == 1 or left == (1 if operator == "*" else right)):
        return None
    if operator == "/":
        return None if left % right else left // right
    result = left + right if operator == "+" else left - right if operator == "-" else left * right
    return result if 1 <= result <= size else None


@dataclass(frozen=True, slots=True)
class Facts:
    """All calculations with numbers up to a size; a given number is at least 2."""

    pairs: dict[str, list[tuple[int, int]]]
    """Operator -> operands, both given."""
    rights: dict[tuple[str, int], list[int]]
    """(operator, left operand) -> given right operands."""
    lefts: dict[tuple[str, int], list[int]]
    """(operator, right operand) -> given left operands."""


@cache
def list_facts(size: int) -> Facts:
    """The calculations with numbers up to `size`."""
    facts = Facts({op: [] for op in OPERATORS}, {}, {})
    numbers = range(1, size + 1)
    for op, a, b in itertools.product(OPERATORS, numbers, numbers):
        if compute(a, op, b, size) is None:
            continue
        if a > 1 and b > 1:
            facts.pairs[op].append((a, b))
        if b > 1:
            facts.rights.setdefault((op, a), []).append(b)
        if a > 1:
            facts.lefts.setdefault((op, b), []).append(a)
    return facts


def draw_fact(rng: random.Random, operator: str) -> WordStep:
    """One calculation on its own, with the sizes of the problems."""
    left, right = rng.choice(list_facts(rng.choice(SIZES)).pairs[operator])
    result = compute(left, operator, right)
    if result is None:
        raise AssertionError("a listed fact is always valid")
    return WordStep(left, operator, right, result)
