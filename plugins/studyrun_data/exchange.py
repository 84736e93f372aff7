"""A change made in the steps of a worked solution, before anything is worked out again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studyrun_data.change import Change
from studyrun_data.problem import Calculation

__all__ = ["Exchanged", "exchanged"]


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A step with what the change puts into it."""

    step: Calculation
    """As it was."""
    given: tuple[float | None, ...]
    """What each operand becomes if it is given; None where that is not known."""
    operators: tuple[str, ...]
    """In reading order."""


def exchanged(steps: Sequence[Calculation], change: Change) -> list[Exchanged]:
    """The steps with `new` in place of every `old` that the change concerns.

    A value in a step that the change does not concern may or may not be the same number as in one
    that it does, so what it becomes is not known. An operation there stays.
    """
    if isinstance(change.new, str):
        signs = _signs(steps, change, change.new)
        return [Exchanged(each, each.operands, ops) for each, ops in zip(steps, signs, strict=True)]
    return [Exchanged(each, _values(each, change, change.new), each.operators) for each in steps]


def _values(step: Calculation, change: Change, new: float) -> tuple[float | None, ...]:
    instead = new if _concerns(change, step) else None
    return tuple(instead if operand == change.old else operand for operand in step.operands)


def _signs(steps: Sequence[Calculation], change: Change, new: str) -> list[tuple[str, ...]]:
    places = [(i, j) for i, step in enumerate(steps) for j in range(len(step.operators))]
    wanted = {"every": places, "first": places[:1], "last": places[-1:]}[change.place]
    here = {(i, j) for i, j in wanted if _concerns(change, steps[i])}
    return [
        tuple(
            new if sign == change.old and (i, j) in here else sign
            for j, sign in enumerate(step.operators)
        )
        for i, step in enumerate(steps)
    ]


def _concerns(change: Change, step: Calculation) -> bool:
    """Whether the change is made in this step."""
    within = change.within
    return within is None or within in (*step.operators, *step.operands, step.result)
