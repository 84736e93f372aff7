"""Concepts that the steps of a solution show: operations, values, and patterns of operations.

All are expressions over the column `steps`; a number is compared as a number and a sign of a
number is no operation, because the steps are parsed (`solution.py`).
"""

from __future__ import annotations

from itertools import product

import polars as pl

from studyrun import Concept
from studyrun_data.expression import format_number
from studyrun_data.params import OPERATIONS, Operations, Patterns, Values

__all__ = ["operations", "operators_in_order", "patterns", "values"]

SPACE = " then "
_STEP = pl.element().struct


def operations(problems: pl.DataFrame, params: Operations) -> list[Concept]:  # noqa: ARG001  # fixed
    """`uses *`: some step of the solution multiplies."""
    used = operators_in_order()
    return [
        Concept(f"uses {operation}", "operation", used.str.contains(operation, literal=True))
        for operation in params.operations
    ]


def values(problems: pl.DataFrame, params: Values) -> list[Concept]:
    """`contains 12`: some number in the steps equals 12 (512 and 12.5 do not)."""
    numbers = params.values or _most_frequent(problems, params)
    return [
        Concept(f"contains {format_number(number)}", "value", _contains(number, params.where))
        for number in dict.fromkeys(float(number) + 0.0 for number in numbers)
    ]


def patterns(problems: pl.DataFrame, params: Patterns) -> list[Concept]:
    """`* then +`: some addition directly follows a multiplication, in reading order.

    The order runs through the expression and on into the next step: `100-50-30` shows `- then -`.
    A pattern's parts are its operations and the shorter patterns inside it.
    """
    runs = [
        "".join(run)
        for length in range(2, params.longest + 1)
        for run in product(OPERATIONS, repeat=length)
    ]
    shown = operators_in_order()
    found = {run: shown.str.contains(run, literal=True) for run in runs}
    support = problems.select(expr.sum().alias(run) for run, expr in found.items()).row(
        0, named=True
    )
    return [
        Concept(_pattern(run), "pattern", found[run], _parts(run))
        for run in runs
        if support[run] >= params.min_support
    ]


def operators_in_order() -> pl.Expr:
    """The operators of all steps as one string, e.g. `*+` for `20*3=60 | 60+5=65`."""
    return pl.col("steps").list.eval(_STEP.field("operators").list.join("")).list.join("")


def _pattern(run: str) -> str:
    return SPACE.join(run)


def _parts(run: str) -> tuple[str, ...]:
    """The concepts that a pattern implies: its operations, then the patterns within it."""
    uses = [f"uses {operation}" for operation in dict.fromkeys(run)]
    within = [
        _pattern(run[start : start + length])
        for length in range(2, len(run))
        for start in range(len(run) - length + 1)
    ]
    return (*uses, *dict.fromkeys(within))


def _contains(number: float, where: str) -> pl.Expr:
    operand = _STEP.field("operands").list.contains(number)
    result = _STEP.field("result") == number
    in_step = {"anywhere": operand | result, "operands": operand, "results": result}[where]
    return pl.col("steps").list.eval(in_step).list.any()


def _most_frequent(problems: pl.DataFrame, params: Values) -> list[float]:
    """The numbers that most problems contain; the smaller first where two are equal."""
    numbers = problems.select(problem=pl.int_range(pl.len()), number=_numbers(params.where))
    counted = numbers.explode("number").drop_nulls().unique().group_by("number").len()
    ranked = counted.sort(["len", "number"], descending=[True, False])
    return ranked["number"].head(params.top).to_list()


def _numbers(where: str) -> pl.Expr:
    """All numbers of a problem's steps."""
    operands = pl.col("steps").list.eval(_STEP.field("operands").explode())
    results = pl.col("steps").list.eval(_STEP.field("result"))
    if where == "anywhere":
        return pl.concat_list(operands, results)
    return operands if where == "operands" else results
