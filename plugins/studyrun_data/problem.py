"""The records of this room: a calculation step and a problem with its worked solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Calculation", "Malformed", "Problem", "Reading", "Split"]

Split = Literal["train", "validation"]


@dataclass(frozen=True, slots=True)
class Calculation:
    """One step of a solution, for example `100-50-30=20`."""

    expression: str
    """The left side as it is written, without blanks around it."""
    operands: tuple[float, ...]
    """Its numbers in reading order; `-5` and `50%` (0.5) are one number each."""
    operators: tuple[str, ...]
    """Its operators in reading order, each one of + - * /; the sign of a number is none."""
    result: float
    """The right side as it is stated, be it right or wrong."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A part of a problem that could not be read, or that contradicts itself."""

    place: str
    """`step 2`, `solution`, `answer` or `line 7`."""
    text: str
    """What stands there."""
    reason: str
    """Why it is listed, and whether it was kept."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One input of a model with what is known about it."""

    id: str
    """Unique in its data set."""
    question: str
    solution: str
    """The worked solution as text; empty where the data set has none."""
    steps: tuple[Calculation, ...]
    """The calculations that could be read in the solution, in its order."""
    answer: float | None
    """The right answer; None where it is unknown or no number."""
    split: Split
    """SAEs are trained on `train`; statistics and interventions use `validation`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A problem as it was read, with what in it could not be."""

    problem: Problem
    malformed: tuple[Malformed, ...] = ()
