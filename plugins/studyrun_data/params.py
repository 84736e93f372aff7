"""What a study may write under `with` for the data sets of this plugin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from studyrun import FilePath, Fraction, NonNegativeInt, PositiveInt

__all__ = [
    "OPERATIONS",
    "AnswerRule",
    "Gsm8k",
    "Jsonl",
    "Operation",
    "WordProblems",
]

Operation = Literal["+", "-", "*", "/"]
AnswerRule = Literal["last-number", "first-number", "after-marker"]
SmallNumber = Annotated[int, Meta(ge=1, le=100)]
OPERATIONS: tuple[Operation, ...] = ("+", "-", "*", "/")


@dataclass(frozen=True, kw_only=True)
class _Data:
    """What every data set has."""

    validation: Fraction = 0.2
    """Share of the problems, drawn at random, that statistics and interventions use."""
    seed: NonNegativeInt | None = None
    """Decides which problems are drawn; the study's seed if not given."""
    answers: AnswerRule = "last-number"
    """Where a model's text states its answer: its last number, its first, or the one that
    follows the last `####`."""


@dataclass(frozen=True, kw_only=True)
class WordProblems(_Data):
    """Generated word problems over the numbers 1 to 100, balanced over steps and operations."""

    problems: PositiveInt = 1000
    """How many problems, both halves of contrast pairs counted."""
    steps: Annotated[list[Literal[1, 2, 3, 4]], Meta(min_length=1)] = field(
        default_factory=lambda: [1, 2, 3, 4]
    )
    """How many calculations a problem may need; each choice is equally frequent."""
    operations: Annotated[list[Operation], Meta(min_length=1)] = field(
        default_factory=lambda: list(OPERATIONS)
    )
    """Only these occur, about equally often."""
    values: list[SmallNumber] = field(default_factory=list)
    """Every problem contains each of these numbers, given or as a result."""
    held_out: Literal["any", "only", "exclude"] = "any"
    """Whether the numbers given in a question are among those that the embedded model was never
    trained on: `only` such problems, none of them (`exclude`), or both."""
    contrast_operations: Annotated[list[Operation], Meta(min_length=2, max_length=2)] | None = None
    """Make pairs that differ in one operation: the first one stands in one problem, the second
    one at the same place of its partner. Pairs stay in one split and share a number in `pair`."""
    contrast_values: Annotated[list[SmallNumber], Meta(min_length=2, max_length=2)] | None = None
    """Make pairs that differ in one given number, likewise."""


@dataclass(frozen=True, kw_only=True)
class Gsm8k(_Data):
    """Grade-school problems in the official format, steps from their `<<48/2=24>>` annotations."""

    path: FilePath | None = None
    """The official JSON Lines file, e.g. train.jsonl; give either this or `hub`."""
    hub: str | None = None
    """A data set that the `datasets` library loads, e.g. openai/gsm8k; needs `revision`."""
    config: str = "main"
    """Which configuration of the data set on the hub."""
    part: str = "train"
    """The word before the number in an id (`train_12` is the line after the first twelve); on the
    hub also the split to load."""
    revision: str | None = None
    """The commit of the data set on the hub, so that its content is certain."""
    indices: FilePath | None = None
    """A JSON file whose list `validation` holds the zero-based numbers of the validation
    problems; replaces `validation` and `seed`."""
    limit: PositiveInt | None = None
    """Use only so many problems, from the top of the file."""


@dataclass(frozen=True, kw_only=True)
class Jsonl(_Data):
    """Problems of your own: one JSON object a line, with field names of your own."""

    path: FilePath
    """The JSON Lines file, UTF-8."""
    question: str = "question"
    """The field with the text that the model is given."""
    solution: str | None = "solution"
    """The field with the worked solution, a string or a list of strings, its steps written as
    `20*3=60 | 60+5=65` or `<<20*3=60>>`; null if there is none."""
    answer: str | None = "answer"
    """The field with the answer, a number or a string that is one; null to take what follows
    `####` in the solution, if anything does."""
    id: str | None = None
    """The field with a unique name; if not given, ids are `line_1`, `line_2` and so on."""
    split: str | None = None
    """The field that says `train` or `validation`; replaces `validation` and `seed`."""
    bad_lines: Literal["stop", "list"] = "stop"
    """What a line that cannot be used does: stop the study, or be listed in the table of
    malformed parts and left out."""
