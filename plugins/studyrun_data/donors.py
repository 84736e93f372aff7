"""Which problem may lend another one its activations: alike in some traits, different in others."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any, Literal

import polars as pl

from studyrun_data.concepts.operations import operators_in_order
from studyrun_data.problem import Calculation

__all__ = ["Trait", "donors", "first_operand", "operations"]

Trait = Literal["operations", "n_steps", "first-operand", "answer", "pair"]
_STEPS = pl.col("steps")
_FIRST_OPERAND = _STEPS.list.first().struct.field("operands").list.first()
TRAITS: dict[Trait, pl.Expr] = {
    "operations": pl.when(_STEPS.list.len() > 0).then(operators_in_order()),
    "n_steps": pl.col("n_steps"),
    "first-operand": _FIRST_OPERAND,
    "answer": pl.col("answer"),
    "pair": pl.col("pair"),
}
"""How each is read; null where a problem has none."""


def first_operand(steps: Sequence[Calculation]) -> float | None:
    """The number that a solution begins with; None where it has no steps."""
    return steps[0].operands[0] if steps else None


def operations(steps: Sequence[Calculation]) -> tuple[str, ...]:
    """The operations of all steps in reading order: `*`, `+` for `20*3=60 | 60+5=65`."""
    return tuple(operator for step in steps for operator in step.operators)


def donors(
    problems: pl.DataFrame,
    same: Sequence[Trait],
    differ: Sequence[Trait],
    generator: random.Random,
) -> list[int | None]:
    """For each row another one, at random: it agrees in all of `same` and in none of `differ`.

    Each such row is equally likely, whatever the other rows drew; a row may be drawn many times.
    None where there is none, and for a problem that lacks one of the traits (a first operand, if
    it has no steps); such a problem is never drawn either. `same=["pair"]` is the partner.

    Args:
        problems: a frame with the columns `PROBLEMS`, and `pair` where that is asked for.
        same: traits that both have alike; `operations` is which ones in which order, however they
            are spread over steps.
        differ: traits in which they differ, each of them; may be empty.
        generator: of the draws, one for each row that has a donor.

    Raises:
        ValueError: a trait is on both sides, or the problems have no pairs.
    """
    both = [trait for trait in same if trait in differ]
    if both:
        raise ValueError(f"no two problems have the same {both[0]} and differ in it")
    if "pair" in (*same, *differ) and "pair" not in problems.columns:
        raise ValueError("these problems have no column 'pair': they were not made in pairs")
    same_by = [TRAITS[trait] for trait in dict.fromkeys(same)]
    differ_by = [TRAITS[trait] for trait in dict.fromkeys(differ)] or [pl.int_range(pl.len())]
    columns = [expr.alias(str(place)) for place, expr in enumerate([*same_by, *differ_by])]
    blocks = _Blocks(problems.select(columns).rows(), len(same_by))
    return [blocks.drawn(row, generator) for row in range(problems.height)]


class _Blocks:
    """Rows by what they have in common, so that a draw takes no pass over all of them.

    By inclusion and exclusion: the rows that agree in `same` and differ in A and in B are all that
    agree in `same`, less those that agree in A, too, less those in B, plus those in A and B.
    """

    def __init__(self, rows: Sequence[tuple[Any, ...]], n_same: int) -> None:
        self._rows = rows
        same, differ = tuple(range(n_same)), range(n_same, len(rows[0]) if rows else n_same)
        self._shared = [
            (*same, *places)
            for size in range(len(differ) + 1)
            for places in combinations(differ, size)
        ]
        self._members: defaultdict[Any, list[int]] = defaultdict(list)
        for row, traits in enumerate(rows):
            if None not in traits:
                for key in self._keys(row):
                    self._members[key].append(row)
        self._signs = [(-1) ** (len(places) - n_same) for places in self._shared]

    def drawn(self, row: int, generator: random.Random) -> int | None:
        """A row that may be drawn for this one; None where there is none."""
        if None in self._rows[row]:
            return None
        blocks = [self._members[key] for key in self._keys(row)]

        def fitting(last: int) -> int:
            """How many rows up to this one may be drawn."""
            counts = (bisect_right(block, last) for block in blocks)
            return sum(sign * n for sign, n in zip(self._signs, counts, strict=True))

        alike = blocks[0]
        n = fitting(alike[-1])
        return alike[bisect_left(alike, 1 + generator.randrange(n), key=fitting)] if n else None

    def _keys(self, row: int) -> list[tuple[Any, ...]]:
        """The blocks that a row belongs to, the largest first."""
        traits = self._rows[row]
        return [(places, *(traits[place] for place in places)) for places in self._shared]
