"""What a swap of two features exchanges: one number or one operation, read from their concepts."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

from studyrun_data.concepts.params import StepPlace
from studyrun_data.concepts.places import VALUE
from studyrun_data.expression import format_number
from studyrun_data.params import OPERATIONS

__all__ = ["Change", "change_between"]

Place = Literal["every", "first", "last"]
GIVEN: tuple[StepPlace, ...] = ("anywhere", "operands")
"""Where a number may be given. A result follows from what is given, so it cannot be exchanged."""
PLACES: dict[str, Place] = {
    "uses": "every",
    "only": "every",
    "first is": "first",
    "last is": "last",
}
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_SIGN = "[-+*/]"
_FORMS = (
    re.compile(rf"(?P<sort>{'|'.join(PLACES)}) (?P<operation>{_SIGN})"),
    re.compile(rf"(?P<sort>{'|'.join(VALUE[place] for place in GIVEN)}) (?P<number>{_NUMBER})"),
    re.compile(rf"(?P<operation>{_SIGN}) (?P<sort>with) (?P<number>{_NUMBER})"),
)


@dataclass(frozen=True, slots=True)
class Change:
    """One number or one operation of a problem, and what stands there instead.

    Raises:
        ValueError: the fields do not fit each other, or nothing would change.
    """

    kind: Literal["value", "operation"]
    """What is exchanged."""
    old: float | str
    """A number, or one of + - * /."""
    new: float | str
    """Likewise."""
    place: Place = "every"
    """Operations: every `old` one, or the solution's first (last) operation, if that is `old`."""
    within: float | str | None = None
    """Only in steps that also have this: an operation where values change, a number (an operand or
    the result) where operations do; None for all steps."""

    def __post_init__(self) -> None:
        fits = _is_number if self.kind == "value" else _is_operation
        other = _is_operation if self.kind == "value" else _is_number
        if not (fits(self.old) and fits(self.new)) or self.old == self.new:
            raise ValueError(f"not two different {self.kind}s: {self.old!r}, {self.new!r}")
        if self.within is not None and not other(self.within):
            raise ValueError(f"no {self.kind} changes within {self.within!r}")
        if self.place != "every" and self.kind == "value":
            raise ValueError(f"a value has no place {self.place!r}; only operations have")

    def __str__(self) -> str:
        return " -> ".join(
            side if isinstance(side, str) else format_number(side) for side in (self.old, self.new)
        )

    @property
    def back(self) -> Change:
        """The change that puts `old` where `new` stands."""
        return replace(self, old=self.new, new=self.old)


def change_between(have: str, instead: str) -> Change | None:
    """What must change in a problem so that the second concept holds in place of the first.

    `contains 12` and `contains 50`, `operand 12` and `operand 50`: the value. `uses *` and
    `uses +`, `only *` and `only +`: every such operation. `first is *` and `first is +`, likewise
    `last is`: the operation at that place. `* with 12` and `* with 50`: the value in steps that
    multiply; `* with 12` and `+ with 12`: the operation in steps with 12.

    None for everything else: two sorts of concept, a difference in more than one part or in none,
    and concepts of which it is not clear what would have to be given instead: results, the answer,
    classes of numbers, patterns, numbers of steps.

    Args:
        have: name of the concept that holds, as the sources of this plugin write it.
        instead: name of the concept that shall hold.
    """
    before, after = _read(have), _read(instead)
    if before is None or after is None or before.sort != after.sort:
        return None
    values, signs = (before.number, after.number), (before.operation, after.operation)
    if (values[0] == values[1]) == (signs[0] == signs[1]):
        return None
    if values[0] is not None and values[1] is not None and signs[0] == signs[1]:
        return Change("value", values[0], values[1], within=signs[0])
    if signs[0] is not None and signs[1] is not None:
        place = PLACES.get(before.sort, "every")
        return Change("operation", signs[0], signs[1], place, within=values[0])
    return None


@dataclass(frozen=True, slots=True)
class _Said:
    """What the name of a concept says."""

    sort: str
    operation: str | None
    number: float | None


def _read(name: str) -> _Said | None:
    for form in _FORMS:
        match = form.fullmatch(name)
        if match:
            said = match.groupdict()
            number = float(said["number"]) if said.get("number") else None
            return _Said(said["sort"], said.get("operation"), number)
    return None


def _is_number(side: object) -> bool:
    return isinstance(side, int | float) and math.isfinite(side)


def _is_operation(side: object) -> bool:
    return side in OPERATIONS
