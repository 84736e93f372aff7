"""Concepts of an operation with a number in one step: `* with 12`."""

from __future__ import annotations

import polars as pl

from studyrun import Concept
from studyrun_data.concepts.params import OperationValues
from studyrun_data.concepts.places import value_name
from studyrun_data.concepts.values import value_parts
from studyrun_data.expression import format_number
from studyrun_data.params import OPERATIONS

__all__ = ["operations_with_values"]

_STEP = pl.element().struct


def operations_with_values(problems: pl.DataFrame, params: OperationValues) -> list[Concept]:
    """`* with 12`: 12 is an operand or the result of some step that multiplies."""
    return [_concept(operation, number) for operation, number in _pairs(problems, params)]


def _concept(operation: str, number: float) -> Concept:
    uses = _STEP.field("operators").list.contains(operation)
    contains = _STEP.field("operands").list.contains(number) | (_STEP.field("result") == number)
    return Concept(
        f"{operation} with {format_number(number)}",
        "operation-value",
        pl.col("steps").list.eval(uses & contains).list.any(),
        (
            f"uses {operation}",
            value_name(number, "anywhere"),
            *value_parts(number, "anywhere"),
        ),
    )


def _pairs(problems: pl.DataFrame, params: OperationValues) -> list[tuple[str, float]]:
    """The most frequent pairs of an operation and a number that enough problems have."""
    counted = _in_one_step(problems).group_by("operation", "number").len()
    wanted = pl.col("operation").is_in(params.operations)
    if params.values is not None:
        wanted &= pl.col("number").is_in(params.values)
    most = problems.height - params.min_support
    common = counted.filter(wanted & pl.col("len").is_between(params.min_support, most))
    order = pl.col("operation").cast(pl.Enum(OPERATIONS)).to_physical()
    ranked = common.sort("len", "number", order, descending=[True, False, False])
    return list(ranked.select("operation", "number").head(params.top).iter_rows())


def _in_one_step(problems: pl.DataFrame) -> pl.DataFrame:
    """(problem, operation, number) of everything that some step has together, once a problem."""
    steps = problems.select(problem=pl.int_range(pl.len()), step="steps").explode("step")
    parts = (
        steps.drop_nulls("step")
        .unnest("step")
        .select(
            "problem",
            operation="operators",
            number=pl.concat_list("operands", "result"),
        )
    )
    return parts.explode("operation").drop_nulls("operation").explode("number").unique()
