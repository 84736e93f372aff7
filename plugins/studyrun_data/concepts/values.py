"""Concepts of single numbers: contained, an operand, a result, the answer."""

from __future__ import annotations

import polars as pl

from studyrun import Concept
from studyrun_data.concepts.classes import classes_of
from studyrun_data.concepts.params import Place, Values
from studyrun_data.concepts.places import IMPLIED, class_name, numbers, some, value_name

__all__ = ["value_concept", "value_parts", "values"]


def values(problems: pl.DataFrame, params: Values) -> list[Concept]:
    """`contains 12`: some number in the steps equals 12 (512 and 12.5 do not)."""
    chosen = params.values or _most_frequent(problems, params)
    distinct = dict.fromkeys(float(number) + 0.0 for number in chosen)
    return [value_concept(number, params.where, "value") for number in distinct]


def value_concept(number: float, where: Place, kind: str) -> Concept:
    """The concept that a number stands at a place."""
    expr = some(where, lambda x: x == number)
    return Concept(value_name(number, where), kind, expr, value_parts(number, where))


def value_parts(number: float, where: Place) -> tuple[str, ...]:
    """What it implies: the number at less exact places, and its standard classes at all of them."""
    less_exact = IMPLIED[where]
    values = [value_name(number, place) for place in less_exact]
    classes = [
        class_name(noun, place)
        for place in (where, *less_exact)
        for noun in classes_of(number, place)
    ]
    return (*values, *classes)


def _most_frequent(problems: pl.DataFrame, params: Values) -> list[float]:
    """The numbers that most problems contain; the smaller first where two are equal."""
    found = problems.select(problem=pl.int_range(pl.len()), number=numbers(params.where))
    counted = found.explode("number").drop_nulls().unique().group_by("number").len()
    ranked = counted.sort(["len", "number"], descending=[True, False])
    return ranked["number"].head(params.top).to_list()
