"""All concepts that come along, of any problems, however rare they are."""

from collections.abc import Iterator
from typing import Literal

import polars as pl

from studyrun import Concept
from studyrun_data.concepts.answers import answers
from studyrun_data.concepts.classes import value_classes
from studyrun_data.concepts.operation_values import operations_with_values
from studyrun_data.concepts.operations import (
    first_operations,
    last_operations,
    only_operations,
    operations,
)
from studyrun_data.concepts.params import (
    Answers,
    Operations,
    OperationValues,
    Patterns,
    Steps,
    ValueClasses,
    Values,
)
from studyrun_data.concepts.patterns import patterns
from studyrun_data.concepts.steps import steps
from studyrun_data.concepts.values import values

ALL_PROPERTIES = ["whole", "fraction", "negative", "even", "odd"]


def every_concept(
    frame: pl.DataFrame, longest: Literal[2, 3, 4] = 3, top: int = 20
) -> Iterator[Concept]:
    """All that the data plugin can say of these problems but free SQL.

    Args:
        frame: the problems.
        longest: of patterns of operations.
        top: how many numbers each family of numbers finds.
    """
    for family in (operations, only_operations, first_operations, last_operations):
        yield from family(frame, Operations())
    for follows in ("directly", "eventually"):
        yield from patterns(frame, Patterns(longest=longest, min_support=1, follows=follows))
    yield from steps(frame, Steps(["exactly", "at-least"], min_support=1))
    for where in ("anywhere", "operands", "results", "intermediate"):
        yield from values(frame, Values(where=where, top=top))
        classes = ValueClasses(where, properties=ALL_PROPERTIES, min_support=1)
        yield from value_classes(frame, classes)
    yield from values(frame, Values(where="answer", top=top))
    yield from operations_with_values(frame, OperationValues(min_support=1, top=top))
    yield from answers(frame, Answers(min_support=1))
