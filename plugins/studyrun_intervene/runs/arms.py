"""The runs of a step: every edit, the same in random directions, the same at another position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from studyrun import Position, SiteEdits
from studyrun_intervene.edits.differences import Differences, Joined

__all__ = ["EDIT", "ELSEWHERE", "RANDOM", "Arm", "Plan", "next_to"]

EDIT, RANDOM, ELSEWHERE = "edit", "random", "elsewhere"


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """Runs that are compared with others."""

    name: str
    differences: Differences
    positions: Sequence[Position]
    """Where each edit is made."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All runs of a step at one layer, arm after arm."""

    arms: tuple[Arm, ...]

    @property
    def starts(self) -> list[int]:
        """The number of each arm's first run, and of all runs."""
        sizes = torch.tensor([0, *(len(arm.differences.edit) for arm in self.arms)])
        starts: list[int] = sizes.cumsum(0).tolist()
        return starts

    def arm(self, name: str) -> slice | None:
        """The numbers of an arm's runs; None where there is no such arm."""
        for arm, begin, end in zip(self.arms, self.starts, self.starts[1:], strict=False):
            if arm.name == name:
                return slice(begin, end)
        return None

    @property
    def edit(self) -> Tensor:
        """(runs,) which edit."""
        return torch.cat([arm.differences.edit for arm in self.arms])

    @property
    def row(self) -> Tensor:
        """(runs,) on which of the problems."""
        return torch.cat([arm.differences.row for arm in self.arms])

    def site_edits(self) -> SiteEdits:
        """The runs as a model takes them."""
        positions = tuple(dict.fromkeys(p for arm in self.arms for p in arm.positions))
        at = [
            torch.tensor([positions.index(p) for p in arm.positions])[arm.differences.edit]
            for arm in self.arms
        ]
        every = Joined.of([a.differences for a in self.arms], [_same(a) for a in self.arms])
        return SiteEdits(self.row, positions, torch.cat(at), every)


def _same(arm: Arm) -> Tensor:
    """The edits' numbers, unchanged."""
    edits = arm.differences.edit
    return torch.arange(int(edits.max()) + 1 if len(edits) else 0)


def next_to(position: Position, positions: tuple[int, ...] | None) -> Position | None:
    """The position after this one, or before it if there is none; None if neither is.

    Args:
        position: of the site.
        positions: those of the model, or None where they depend on the prompt.
    """
    if not isinstance(position, int):
        return -2 if position == "last" else None
    if positions is None:
        return position + 1 if position not in (-1,) else position - 1
    after, before = position + 1, position - 1
    return after if after in positions else before if before in positions else None
