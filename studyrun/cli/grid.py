"""A table of values that fits the terminal: which columns, how wide, and what is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from studyrun.cli.terminal import breadth, cut, padded, paint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Column", "Grid", "fitted"]

GAP = "  "
USUAL = 32
"""Characters of a text that are enough for a first look."""
LEAST = 12
"""No text is cut below this."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as texts."""

    name: str
    cells: tuple[str, ...]
    right: bool = False
    """Numbers: aligned at the right, and never cut."""
    use: int = 0
    """Which columns are left out first where there is no room: those with the largest."""

    @property
    def natural(self) -> int:
        """The room that shows all of it."""
        return max(map(breadth, (self.name, *self.cells)))

    @property
    def least(self) -> int:
        """The room that it may be cut to."""
        name = breadth(self.name)
        return self.natural if self.right else max(name, min(self.natural, LEAST))


@dataclass(frozen=True, slots=True)
class Grid:
    """What fits."""

    columns: tuple[Column, ...]
    widths: tuple[int, ...]
    hidden: tuple[str, ...] = ()
    """The names of the columns that are left out."""

    def lines(self, indent: str = "") -> list[str]:
        """The head, in bold, and the rows."""
        head, *rows = zip(*([each.name, *each.cells] for each in self.columns), strict=True)
        return [
            indent + paint(self._line(head), "bold"),
            *(indent + self._line(row) for row in rows),
        ]

    def _line(self, cells: Iterable[str]) -> str:
        made = (
            padded(cut(text, room), room, right=column.right)
            for text, room, column in zip(cells, self.widths, self.columns, strict=True)
        )
        return GAP.join(made).rstrip()


def fitted(columns: Sequence[Column], room: int, *, every: bool = False) -> Grid:
    """The columns that fit, in their order, with long texts cut.

    Args:
        columns: at least one; the first one always stays.
        room: characters in a line.
        every: leave none out, even if lines get too long.
    """
    kept = set(range(len(columns))) if every else _chosen(columns, room)
    there = [column for place, column in enumerate(columns) if place in kept]
    hidden = [column.name for place, column in enumerate(columns) if place not in kept]
    return Grid(tuple(there), tuple(_widths(there, room)), tuple(hidden))


def _chosen(columns: Sequence[Column], room: int) -> set[int]:
    """The places of those that fit, the most useful first."""
    kept = {0}
    left = room - _first_look(columns[0])
    for place in sorted(range(1, len(columns)), key=lambda place: (columns[place].use, place)):
        needed = len(GAP) + _first_look(columns[place])
        if needed <= left:
            kept.add(place)
            left -= needed
    return kept


def _first_look(column: Column) -> int:
    return max(column.least, min(column.natural, USUAL))


def _widths(columns: Sequence[Column], room: int) -> list[int]:
    """All that a column wants if there is room; else the widest texts give way first."""
    widths = [column.natural for column in columns]
    over = sum(widths) + len(GAP) * (len(columns) - 1) - room
    while over > 0:
        spare = [w - column.least for w, column in zip(widths, columns, strict=True)]
        widest = max(range(len(columns)), key=lambda place: (spare[place] > 0) * widths[place])
        if spare[widest] <= 0:
            break
        widths[widest] -= 1
        over -= 1
    return widths
