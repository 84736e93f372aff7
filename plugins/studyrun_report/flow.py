"""The flow: where the boxes of a picture of steps stand, and the arrows between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from studyrun_report.blocks import RanStep

__all__ = ["HEIGHT", "WIDTH", "Arrow", "Box", "Flow", "flow"]

WIDTH, HEIGHT = 124, 58
"""Of a box, in pixels of the picture."""
ACROSS, DOWN = 20, 16
"""Between boxes."""
LETTERS = 15
"""That stand in a box; the list below the picture has the whole name."""
SHORTEST = 0.02
"""Of the longest time: a step that took any time has a bar that can be seen."""


class Box(NamedTuple):
    """One step in the picture."""

    step: RanStep
    x: int
    y: int
    name: str
    component: str
    bar: float
    """Of the longest time of any step, 0 to 1."""


class Arrow(NamedTuple):
    """From the right side of a box to the left side of another."""

    x1: int
    y1: int
    turn: int
    """As far it goes straight on: the gap between boxes before the last one."""
    x2: int
    y2: int


class Flow(NamedTuple):
    """The picture."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def flow(steps: Sequence[RanStep]) -> Flow:
    """Steps from left to right, each to the right of all that it reads.

    An arrow that only repeats a way along others is left out: the report reads everything.
    """
    reads = _direct(steps)
    column = _columns(steps, reads)
    row = _rows(steps, reads, column)
    tallest = max(row.values(), default=0) + 1
    inside = {name: list(column.values()).count(column[name]) for name in column}
    longest = max((step.seconds or 0 for step in steps), default=0)
    boxes = {}
    for step in steps:
        offset = (tallest - inside[step.step]) * (HEIGHT + DOWN) // 2
        x = column[step.step] * (WIDTH + ACROSS)
        y = row[step.step] * (HEIGHT + DOWN) + offset
        boxes[step.step] = Box(step, x, y, _short(step.step), _short(step.component),
                               _bar(step.seconds, longest))  # fmt: skip
    arrows = [_arrow(boxes[one], boxes[name]) for name, own in reads.items() for one in own]
    width = (max(column.values(), default=0) + 1) * (WIDTH + ACROSS) - ACROSS
    return Flow(width, tallest * (HEIGHT + DOWN) - DOWN, tuple(boxes.values()), tuple(arrows))


def _arrow(one: Box, other: Box) -> Arrow:
    middle = HEIGHT // 2
    return Arrow(one.x + WIDTH, one.y + middle, other.x - ACROSS, other.x, other.y + middle)


def _direct(steps: Sequence[RanStep]) -> dict[str, list[str]]:
    """Step -> what it reads and does not read through another step already; of earlier ones."""
    behind: dict[str, set[str]] = {}
    direct: dict[str, list[str]] = {}
    for step in steps:
        own = [name for name in step.reads if name in behind]
        through = set[str]().union(*(behind[name] for name in own))
        direct[step.step] = [name for name in own if name not in through]
        behind[step.step] = through | {*own}
    return direct


def _columns(steps: Sequence[RanStep], reads: Mapping[str, list[str]]) -> dict[str, int]:
    column: dict[str, int] = {}
    for step in steps:
        column[step.step] = max((column[name] + 1 for name in reads[step.step]), default=0)
    return column


def _rows(
    steps: Sequence[RanStep], reads: Mapping[str, list[str]], column: Mapping[str, int]
) -> dict[str, int]:
    """Within a column, in the order of what is read, so that few arrows cross."""
    row: dict[str, int] = {}
    for number in sorted({*column.values()}):
        own = [step.step for step in steps if column[step.step] == number]
        own.sort(key=lambda name: sum(row[r] for r in reads[name]) / max(1, len(reads[name])))
        row |= {name: place for place, name in enumerate(own)}
    return row


def _short(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"


def _bar(seconds: float | None, longest: float) -> float:
    if not seconds or not longest:
        return 0.0
    return max(SHORTEST, seconds / longest)
