"""Where a number may stand in a problem, and how its concepts are called there."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from studyrun_data.concepts.params import Place
from studyrun_data.expression import format_number

__all__ = ["IMPLIED", "class_name", "numbers", "some", "value_name"]

VALUE: dict[Place, str] = {
    "anywhere": "contains",
    "operands": "operand",
    "results": "result",
    "intermediate": "intermediate",
    "answer": "answer",
}
CLASS: dict[Place, str] = {
    place: word if place == "anywhere" else f"{word} is" for place, word in VALUE.items()
}
IMPLIED: dict[Place, tuple[Place, ...]] = {
    "anywhere": (),
    "operands": ("anywhere",),
    "results": ("anywhere",),
    "intermediate": ("results", "anywhere"),
    "answer": (),
}
"""The places where a number stands as well. The answer is the data's, not a result of a step."""
_STEP = pl.element().struct


def value_name(number: float, where: Place) -> str:
    """`contains 12`, `operand 12`, `result 12`, `intermediate 12` or `answer 12`."""
    return f"{VALUE[where]} {format_number(number)}"


def class_name(noun: str, where: Place) -> str:
    """`contains a fraction`, `operand is a fraction`, and so on."""
    return f"{CLASS[where]} {noun}"


def some(where: Place, test: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """Whether some number of a problem at that place passes a test of single numbers."""
    if where == "answer":
        return test(pl.col("answer")).fill_null(value=False)
    operand = _STEP.field("operands").list.eval(test(pl.element())).list.any()
    result = test(_STEP.field("result"))
    passes = {"anywhere": operand | result, "operands": operand}.get(where, result)
    return _steps(where).list.eval(passes).list.any()


def numbers(where: Place) -> pl.Expr:
    """The numbers of a problem at that place, as a list."""
    if where == "answer":
        return pl.concat_list("answer")
    operands = _steps(where).list.eval(_STEP.field("operands").explode())
    results = _steps(where).list.eval(_STEP.field("result"))
    both = pl.concat_list(operands, results)
    return {"anywhere": both, "operands": operands}.get(where, results)


def _steps(where: Place) -> pl.Expr:
    """The steps that count, in any order."""
    steps = pl.col("steps")
    return steps.list.reverse().list.slice(1) if where == "intermediate" else steps
