"""Problems made for one change: some with `old`, and their partners with `new` in its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from studyrun_data.change import Change
from studyrun_data.concepts.operations import operators_in_order
from studyrun_data.concepts.places import some
from studyrun_data.generator import MAX_NUMBER
from studyrun_data.params import OPERATIONS, Operation, WordProblems

__all__ = ["contrast_of", "exchanges", "with_counterfactuals"]

FORWARD, BACK = "forward", "back"
"""Directions: of a pair's first problem, which has `old`, and of its partner, which has `new`."""


def contrast_of(change: Change, params: Any) -> WordProblems | None:
    """A data set's parameters, changed so that it makes pairs with `old` and with `new`.

    What else it asks for stays, as far as it can: operations that are missing are added, `old` is
    no longer demanded of every problem, and an odd number of problems becomes the next even one.
    Whether there are so many such pairs shows only when they are made.

    None for data sets that make no pairs, for changes at one place or within some steps only, and
    for values that are no whole numbers of 1 to 100.

    Args:
        change: in what partners shall differ.
        params: of a data component, of any type.
    """
    if not isinstance(params, WordProblems) or change.place != "every" or change.within is not None:
        return None
    even = replace(params, problems=params.problems + params.problems % 2)
    if change.kind == "operation":
        return _with_operations(even, change)
    return _with_values(even, change)


def with_counterfactuals(table: pl.DataFrame) -> pl.DataFrame:
    """Contrast pairs with the columns `counterfactual_answer` and `direction`.

    `counterfactual_answer` is the partner's answer. `direction` is `forward` for a pair's first
    problem, in which the old value or operation becomes the new one, and `back` for its partner.

    A pair differs in one place. Where `exchanges` says that this is all of the change, the partner
    is the counterfactual problem, and `counterfactual` says the same or None. Elsewhere the old
    value stands at other places, too, or the new one does, and they rightly differ.

    Args:
        table: problems with the column `pair`; the first of a pair comes before its partner.

    Raises:
        ValueError: there is no such column, or a pair is not one of two problems.
    """
    _demand_pairs(table)
    first = pl.int_range(pl.len()).over("pair") == 0
    return table.with_columns(
        counterfactual_answer=pl.col("answer").reverse().over("pair"),
        direction=pl.when(first).then(pl.lit(FORWARD)).otherwise(pl.lit(BACK)),
    )


def exchanges(table: pl.DataFrame, change: Change) -> pl.Series:
    """Whether a row's pair exchanges `old` for `new` altogether.

    So it is where the first problem contains `old` and not `new`, and its partner `new` and not
    `old`: values anywhere in the steps, as in the concept `contains 12`, results counted.

    Args:
        table: as for `with_counterfactuals`.
        change: in what partners differ.

    Raises:
        ValueError: as there.
    """
    _demand_pairs(table)
    old, new = _has(change.old), _has(change.new)
    first = pl.int_range(pl.len()).over("pair") == 0
    right = pl.when(first).then(old & ~new).otherwise(new & ~old)
    return table.select(exchanges=right.all().over("pair")).to_series()


def _with_operations(params: WordProblems, change: Change) -> WordProblems:
    signs: dict[str, Operation] = {each: each for each in OPERATIONS}
    pair = [sign for side in (change.old, change.new) if (sign := signs.get(str(side)))]
    wanted = [each for each in OPERATIONS if each in (*params.operations, *pair)]
    return replace(params, operations=wanted, contrast_operations=pair, contrast_values=None)


def _with_values(params: WordProblems, change: Change) -> WordProblems | None:
    pair = [int(side) for side in (change.old, change.new) if _is_ours(side)]
    if len(pair) < 2:
        return None
    others = [value for value in params.values if value != change.old]
    return replace(params, values=others, contrast_operations=None, contrast_values=pair)


def _is_ours(value: float | str) -> bool:
    """Whether the generator has this number."""
    return not isinstance(value, str) and value % 1 == 0 and 1 <= value <= MAX_NUMBER


def _has(side: float | str) -> pl.Expr:
    """Whether a problem contains the value, or uses the operation."""
    if isinstance(side, str):
        return operators_in_order().str.contains(side, literal=True)
    return some("anywhere", lambda number: number == side)


def _demand_pairs(table: pl.DataFrame) -> None:
    if "pair" not in table.columns:
        raise ValueError("these problems have no column 'pair': they were not made in pairs")
    sizes = table.group_by("pair").len().filter((pl.col("len") != 2) | pl.col("pair").is_null())
    if not sizes.is_empty():
        pair, size = sizes.sort("pair").row(0)
        raise ValueError(f"pair {pair} has {size} problem{'s' if size > 1 else ''}, not 2")
