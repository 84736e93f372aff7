"""Concepts of single operations: used, the only one, the first, the last."""

from __future__ import annotations

import polars as pl

from studyrun import Concept
from studyrun_data.concepts.params import Operations

__all__ = [
    "first_operations",
    "last_operations",
    "only_operations",
    "operations",
    "operators_in_order",
]


def operations(problems: pl.DataFrame, params: Operations) -> list[Concept]:  # noqa: ARG001  # fixed
    """`uses *`: some step of the solution multiplies."""
    used = operators_in_order()
    return [
        Concept(f"uses {operation}", "operation", used.str.contains(operation, literal=True))
        for operation in params.operations
    ]


def only_operations(problems: pl.DataFrame, params: Operations) -> list[Concept]:  # noqa: ARG001  # fixed
    """`only *`: the solution multiplies, and does nothing else."""
    used = operators_in_order()
    return [
        Concept(
            f"only {operation}",
            "pattern",
            (used != "") & (used.str.strip_chars(operation) == ""),
            (f"uses {operation}", f"first is {operation}", f"last is {operation}"),
        )
        for operation in params.operations
    ]


def first_operations(problems: pl.DataFrame, params: Operations) -> list[Concept]:  # noqa: ARG001  # fixed
    """`first is *`: the first operation of the solution, in reading order, multiplies."""
    used = operators_in_order()
    return [
        Concept(f"first is {each}", "pattern", used.str.starts_with(each), (f"uses {each}",))
        for each in params.operations
    ]


def last_operations(problems: pl.DataFrame, params: Operations) -> list[Concept]:  # noqa: ARG001  # fixed
    """`last is *`: the last operation of the solution, in reading order, multiplies."""
    used = operators_in_order()
    return [
        Concept(f"last is {each}", "pattern", used.str.ends_with(each), (f"uses {each}",))
        for each in params.operations
    ]


def operators_in_order() -> pl.Expr:
    """The operators of all steps as one string, e.g. `*+` for `20*3=60 | 60+5=65`.

    The order is that of reading, through each expression and on into the next step.
    """
    operators = pl.element().struct.field("operators")
    return pl.col("steps").list.eval(operators.list.join("")).list.join("")
