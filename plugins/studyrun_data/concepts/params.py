"""What a study may write for the concepts of this plugin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from studyrun import PositiveInt
from studyrun_data.params import OPERATIONS, Operation

__all__ = [
    "Answers",
    "Free",
    "OperationValues",
    "Operations",
    "Patterns",
    "Place",
    "Property",
    "StepPlace",
    "Steps",
    "ValueClasses",
    "Values",
]

StepPlace = Literal["anywhere", "operands", "results", "intermediate"]
Place = Literal[StepPlace, "answer"]
Property = Literal["whole", "fraction", "negative", "even", "odd"]
Multiple = Annotated[int, Meta(ge=2)]
Digits = Annotated[int, Meta(ge=1, le=15)]
PHRASE = r"^\S(.*\S)?$"
Name = Annotated[str, Meta(pattern=PHRASE, max_length=80, examples=["has-percent"])]
Sort = Annotated[str, Meta(pattern=PHRASE, max_length=40, examples=["free"])]


@dataclass(frozen=True)
class Operations:
    """Which operations."""

    operations: Annotated[list[Operation], Meta(min_length=1)] = field(
        default_factory=lambda: list(OPERATIONS)
    )
    """One concept for each."""


@dataclass(frozen=True)
class Patterns:
    """Which operations follow each other in a solution, in reading order."""

    longest: Literal[2, 3, 4] = 2
    """The largest number of operations in a pattern; the smallest is 2."""
    min_support: PositiveInt = 20
    """In how many problems a pattern must occur to become a concept."""
    follows: Literal["directly", "eventually"] = "directly"
    """`directly`: the operations stand next to each other (`* then +`); `eventually`: others may
    stand between them (`* later +`)."""


@dataclass(frozen=True)
class Steps:
    """How many steps a solution has."""

    counts: Annotated[list[Literal["exactly", "at-least"]], Meta(min_length=1)] = field(
        default_factory=lambda: ["exactly"]
    )
    """`exactly`: `3 steps`; `at-least`: `at least 3 steps`."""
    min_support: PositiveInt = 20
    """In how many problems a concept must hold, and in how many it must not."""


@dataclass(frozen=True)
class Values:
    """Which numbers a solution contains."""

    values: Annotated[list[float], Meta(min_length=1)] | None = None
    """One concept for each; if not given, the `top` most frequent numbers are taken."""
    top: PositiveInt = 20
    """How many numbers, counted by the problems that contain them; the smaller goes first
    where two are equally frequent."""
    where: Place = "anywhere"
    """Where a number counts: `anywhere` in the steps (`contains 12`), in their `operands`
    (`operand 12`), in their `results` (`result 12`), in the results of all steps but the last
    (`intermediate 12`), or as the problem's `answer` (`answer 12`)."""


@dataclass(frozen=True)
class ValueClasses:
    """Which sorts of numbers a solution contains; `answers` has the same for the answer."""

    where: StepPlace = "anywhere"
    """Where a number counts, as for `values`: `contains a multiple of 10`, `operand is ...`,
    `result is ...`, `intermediate is ...`."""
    multiples_of: list[Multiple] = field(default_factory=lambda: [10, 100])
    """Round numbers: `a multiple of 10`; neither 0 nor a number of more than 15 digits is one."""
    digits: list[Digits] = field(default_factory=lambda: [1, 2, 3, 4])
    """Magnitudes: `a number of 2 digits` is from 10 to below 100, whatever its sign and whatever
    follows the point; a number between -1 and 1 has no digits."""
    properties: list[Property] = field(default_factory=lambda: ["fraction", "negative"])
    """`a whole number`, `a fraction`, `a negative number`, `an even number`, `an odd number`."""
    min_support: PositiveInt = 20
    """In how many problems a concept must hold, and in how many it must not."""


@dataclass(frozen=True)
class OperationValues:
    """Which numbers an operation goes with: `* with 12`."""

    operations: Annotated[list[Operation], Meta(min_length=1)] = field(
        default_factory=lambda: list(OPERATIONS)
    )
    """Only these."""
    values: Annotated[list[float], Meta(min_length=1)] | None = None
    """Only these; any number if not given."""
    min_support: PositiveInt = 20
    """In how many problems a pair must occur, and in how many it must not."""
    top: PositiveInt = 20
    """How many pairs, counted by the problems that contain them; the smaller number goes first
    where two are equally frequent."""


@dataclass(frozen=True)
class Answers:
    """Properties of the answer; a problem without an answer has none of them."""

    properties: list[Property] = field(
        default_factory=lambda: ["whole", "fraction", "negative", "even", "odd"]
    )
    """`answer is a whole number`, `... a fraction`, `... a negative number`, `... an even number`,
    `... an odd number`."""
    multiples_of: list[Multiple] = field(default_factory=lambda: [10, 100])
    """`answer is a multiple of 10`; neither 0 nor a number of more than 15 digits is one."""
    digits: list[Digits] = field(default_factory=lambda: [1, 2, 3, 4])
    """`answer is a number of 2 digits`: from 10 to below 100, whatever its sign and whatever
    follows the point."""
    equals: list[float] = field(default_factory=list)
    """`answer 12`, for each of these numbers; `values` finds the most frequent ones."""
    min_support: PositiveInt = 20
    """In how many problems a concept must hold, and in how many it must not."""


@dataclass(frozen=True)
class Free:
    """A concept of your own, as SQL over the problems' table."""

    name: Name
    """What it is called in labels."""
    where: Annotated[str, Meta(min_length=1)]
    """An SQL expression (polars' dialect) that is true for the problems that have the concept,
    e.g. `solution LIKE '%/100%'`; where it is null, a problem does not have it. Columns: `id`,
    `question`, `solution`, `answer`, `split`, `n_steps`, `steps`, `pair` (word problems made in
    pairs), and what a data set of a plugin adds. SQL cannot look inside `steps`, a list of records:
    for these there are the other concepts, or a plugin."""
    kind: Sort = "free"
    """What sort of concept it is: labels are counted by kind."""
