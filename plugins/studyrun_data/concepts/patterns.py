"""Concepts of operations that follow each other: `* then +`, `* later +`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations, product
from typing import Literal

import polars as pl

from studyrun import Concept
from studyrun_data.concepts.operations import operators_in_order
from studyrun_data.concepts.params import Patterns
from studyrun_data.params import OPERATIONS

__all__ = ["patterns"]

Follows = Literal["directly", "eventually"]
WORDS: dict[Follows, str] = {"directly": " then ", "eventually": " later "}


def patterns(problems: pl.DataFrame, params: Patterns) -> list[Concept]:
    """`* then +`: some addition directly follows a multiplication; `* later +`: not only directly.

    `100-50-30` shows `- then -`. A pattern's parts are its operations and every pattern that it
    implies: the shorter ones inside it and, for one that says `then`, those that say `later`.
    """
    runs = [
        "".join(run)
        for length in range(2, params.longest + 1)
        for run in product(OPERATIONS, repeat=length)
    ]
    found = {run: _shown(run, params.follows) for run in runs}
    support = problems.select(expr.sum().alias(run) for run, expr in found.items()).row(
        0, named=True
    )
    return [
        Concept(_name(run, params.follows), "pattern", found[run], _parts(run, params.follows))
        for run in runs
        if support[run] >= params.min_support
    ]


def _shown(run: str, follows: Follows) -> pl.Expr:
    shown = operators_in_order()
    if follows == "directly":
        return shown.str.contains(run, literal=True)
    return shown.str.contains(".*".join(map(re.escape, run)))


def _name(run: str, follows: Follows) -> str:
    return WORDS[follows].join(run)


def _parts(run: str, follows: Follows) -> tuple[str, ...]:
    """What a pattern implies: its operations, then other patterns, the shorter ones first."""
    uses = [f"uses {operation}" for operation in run]
    parts = dict.fromkeys([*uses, *_implied(run, follows)])
    return tuple(part for part in parts if part != _name(run, follows))


def _implied(run: str, follows: Follows) -> Iterator[str]:
    for length in range(2, len(run) + 1):
        if follows == "directly":
            for start in range(len(run) - length + 1):
                yield _name(run[start : start + length], "directly")
        for some in combinations(run, length):
            yield _name("".join(some), "eventually")
