"""Which operands of a worked solution are given, and which are the results of earlier steps.

A solution does not say so: in `9-4=5 | 5+3=8 | 5+8=13` either 5 may be the first step's result or
a number of the question. So there are readings, and what follows from all of them is certain.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import product

from studyrun_data.problem import Calculation

__all__ = ["Links", "numbers_said", "readings"]

Links = tuple[int | None, ...]
"""For each operand of all steps, in reading order: the step whose result it is, None if given."""
MOST_READINGS = 512
"""A solution that can be read in more ways is not read."""
UNWRITTEN = frozenset(
    map(float, (*range(21), *range(30, 100, 10), 24, 52, 100, 365, 1000, 0.25, 0.5, 0.75))
)
"""Numbers that a question may give in words (`twelve`, `half`) or not at all (days of a week)."""
_NUMBER = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+")


def readings(steps: Sequence[Calculation], said: Collection[float] | None = None) -> list[Links]:
    """Every plausible way to read a solution; none where there are more than `MOST_READINGS`.

    An operand may be the result of any earlier step that is equal to it. It may be given if there
    is no such step, or if the question may say it. Of these readings, those are plausible that
    leave the fewest results unused, the last step's apart.

    Args:
        steps: the solution.
        said: the numbers that the question may say; None if that is not known, so that it may say
            any.
    """
    options = list(_options(steps, said))
    if math.prod(map(len, options)) > MOST_READINGS:
        return []
    every = list(product(*options))
    used = [len(set(links) - {None}) for links in every]
    most = max(used)
    return [links for links, n in zip(every, used, strict=True) if n == most]


def numbers_said(question: str) -> frozenset[float]:
    """The numbers, without sign, that a question may say.

    These are its digits, what they are as per cent or cents, and `UNWRITTEN`.
    """
    digits = [float(found.replace(",", "")) for found in _NUMBER.findall(question)]
    return UNWRITTEN.union(digits, (number / 100 for number in digits))


def _options(
    steps: Sequence[Calculation], said: Collection[float] | None
) -> Iterator[tuple[int | None, ...]]:
    """For each operand, what it may be."""
    made: dict[float, tuple[int, ...]] = {}
    for number, step in enumerate(steps):
        for operand in step.operands:
            earlier = made.get(operand, ())
            given = not earlier or said is None or abs(operand) in said
            yield (*earlier, None) if given else earlier
        made[step.result] = (*made.get(step.result, ()), number)
