"""Sorts of numbers: round ones, magnitudes, properties; and the concepts of what contains them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from studyrun import Concept
from studyrun_data.concepts.params import Answers, Place, Property, ValueClasses
from studyrun_data.concepts.places import IMPLIED, class_name, some
from studyrun_data.concepts.support import supported

__all__ = ["NumberClass", "class_concepts", "classes_of", "number_classes", "value_classes"]

EXACT = 1e15
"""From here on the remainder of a float is one of its rounding."""


@dataclass(frozen=True, slots=True)
class NumberClass:
    """A sort of number."""

    noun: str
    holds: Callable[[Any], Any]
    """Of a float, or of an expression, elementwise."""
    implies: tuple[str, ...] = ()
    """The nouns of the more general ones."""


PROPERTIES: dict[Property, NumberClass] = {
    "whole": NumberClass("a whole number", lambda x: x % 1 == 0),
    "fraction": NumberClass("a fraction", lambda x: x % 1 != 0),
    "negative": NumberClass("a negative number", lambda x: x < 0),
    "even": NumberClass("an even number", lambda x: x % 2 == 0, ("a whole number",)),
    "odd": NumberClass("an odd number", lambda x: abs(x) % 2 == 1, ("a whole number",)),
}


def value_classes(problems: pl.DataFrame, params: ValueClasses) -> list[Concept]:
    """`contains a multiple of 10`: some number in the steps is one."""
    concepts = class_concepts(number_classes(params), params.where, "value-class")
    return supported(problems, concepts, params.min_support)


def class_concepts(classes: Sequence[NumberClass], where: Place, kind: str) -> list[Concept]:
    """One concept for each class; its parts are the more general classes, and places."""
    concepts = []
    for each in classes:
        name, *parts = (
            class_name(noun, place)
            for place in (where, *IMPLIED[where])
            for noun in (each.noun, *each.implies)
        )
        concepts.append(Concept(name, kind, some(where, each.holds), tuple(parts)))
    return concepts


def number_classes(params: ValueClasses | Answers) -> list[NumberClass]:
    """The classes that a study asks for, each once: multiples, magnitudes, properties."""
    multiples = dict.fromkeys(params.multiples_of)
    return [
        *(_multiple(factor, multiples) for factor in multiples),
        *map(_magnitude, dict.fromkeys(params.digits)),
        *(PROPERTIES[name] for name in dict.fromkeys(params.properties)),
    ]


def classes_of(number: float, where: Place) -> list[str]:
    """The nouns of the standard classes that a number belongs to."""
    standard = Answers() if where == "answer" else ValueClasses()
    return [each.noun for each in number_classes(standard) if each.holds(number)]


def _multiple(factor: int, others: Iterable[int]) -> NumberClass:
    smaller = [f"a multiple of {n}" for n in others if n < factor and factor % n == 0]
    even = [] if factor % 2 else ["an even number"]
    return NumberClass(
        f"a multiple of {factor}",
        lambda x: (x != 0) & (abs(x) < EXACT) & (x % factor == 0),
        (*smaller, *even, "a whole number"),
    )


def _magnitude(digits: int) -> NumberClass:
    low, high = 10.0 ** (digits - 1), 10.0**digits
    noun = f"a number of {digits} digit{'s' if digits > 1 else ''}"
    return NumberClass(noun, lambda x: (abs(x) >= low) & (abs(x) < high))
