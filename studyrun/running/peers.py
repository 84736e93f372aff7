"""Which steps could be computed at once (`Component.many`); light, because plans ask it too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from studyrun.contracts import Component
    from studyrun.plan import PlannedStep
    from studyrun.study import Runtime
    from studyrun.wiring import Wiring

    Kind = tuple[Component, Runtime]

__all__ = ["MOST", "Peers"]

MOST = 256
"""Jobs at once: each holds a lock, which is an open file, and a process may open few thousand."""


class Peers:
    """The steps of a plan whose components can compute many at once, by what they have alike."""

    def __init__(self, steps: Sequence[PlannedStep], cells: Mapping[str, Wiring]) -> None:
        self._cells = cells
        self._alike: dict[Kind, list[PlannedStep]] = {}
        first: dict[str, PlannedStep] = {}
        for step in steps:
            if step.key and step.node.bound.component.many:
                first.setdefault(step.key, step)
        for step in first.values():
            self._alike.setdefault(self._kind(step), []).append(step)

    def of(self, step: PlannedStep) -> list[PlannedStep]:
        """The others with the same component, run in the same way, the first of every key."""
        return [each for each in self._alike.get(self._kind(step), ()) if each.key != step.key]

    def _kind(self, step: PlannedStep) -> Kind:
        return step.node.bound.component, self._cells[step.cell].study.runtime

    def planned(self, steps: Sequence[PlannedStep]) -> dict[tuple[str, str], int]:
        """(cell, step) -> with how many others a run hands it over, of those with any.

        It is so if nothing fails and no other process makes some of them.

        Args:
            steps: of the plan, in the order in which a run looks at them.
        """
        keys = {(step.cell, step.name): step.key for step in steps}
        to_run = {step.key for step in steps if step.action == "run"}
        stored = set(keys.values()) - to_run
        others: dict[tuple[str, str], int] = {}
        for step in steps:
            if step.key not in to_run:
                continue
            ready = [
                each
                for each in self.of(step)
                if each.key in to_run and stored.issuperset(keys[each.cell, n] for n in each.reads)
            ]
            group = [step, *ready[: MOST - 1]]
            if len(group) > 1:
                others |= {(each.cell, each.name): len(group) - 1 for each in group}
            made = {each.key for each in group}
            to_run, stored = to_run - made, stored | made
        return others
