"""Which step takes its inputs from which: the rules, on names and artifact types alone.

Tolerant on purpose: it links what can be linked and says what cannot, so that a study with one
mistake is still checked in every other place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from studyrun.faults.findings import Finding
from studyrun.faults.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Link", "Slot", "choices", "link"]

NOT_TYPES = ("*", "model", "model?", "study")
"""What a component may take besides artifacts of a type."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What is to be linked: a step, the data, or the verdicts."""

    name: str
    takes: tuple[str, ...] = ()
    makes: str = ""
    """Empty where the component is unknown, so nobody can say what it makes."""
    needs: tuple[str, ...] | None = None
    use: str = ""
    """A step's component; empty where it is unknown."""
    wanted_by: str = ""
    """The step that shows it, for one that the study does not write."""


@dataclass(frozen=True, slots=True)
class Link:
    """A slot in its place: what it takes from whom."""

    slot: Slot
    inputs: Mapping[str, str]
    """Artifact type -> the slot that makes it."""
    ancestors: frozenset[str] = frozenset()
    """Everything that has to be made before it."""
    named: tuple[str, ...] = ()
    """Slots that it reads by name, not by type."""


def link(slots: Sequence[Slot]) -> tuple[list[Link], list[Finding]]:
    """The slots in the order in which they run, linked; and what is wrong with them.

    The order is the written one, with a step's `needs` pulled before it.
    """
    linker = _linked(slots)
    return list(linker.links.values()), linker.faults


def choices(slots: Sequence[Slot], slot: Slot) -> list[list[str]]:
    """For every type that a slot after these takes and several make: who makes it."""
    linker = _linked(slots)
    earlier = list(linker.links)
    makers = (linker.makers(wanted, earlier) for wanted in slot.takes if wanted not in NOT_TYPES)
    return [each for each in makers if len(each) > 1]


def _linked(slots: Sequence[Slot]) -> _Linker:
    faults = list(_unknown_needs(slots))
    order, cyclic = _order(slots)
    linker = _Linker(order, [*faults, *cyclic])
    for slot in order:
        linker.add(slot)
    return linker


def _unknown_needs(slots: Sequence[Slot]) -> Iterator[Finding]:
    names = tuple(slot.name for slot in slots)
    known, near = set(names), cache(lambda need: "".join(nearest(need, names)[:1]))
    for slot in slots:
        for index, need in enumerate(slot.needs or ()):
            if need not in known:
                path = ("steps", slot.name, "needs", index)
                message = f"there is no step {need!r}"
                yield Finding(path, message, "wiring", None, names, near(need))


def _order(slots: Sequence[Slot]) -> tuple[list[Slot], list[Finding]]:
    """Depth first along `needs`, without recursion; a need that closes a circle is reported."""
    by_name = {slot.name: slot for slot in slots}
    done: dict[str, Slot] = {}
    faults = []
    for first in slots:
        trail = {} if first.name in done else {first.name: _numbered_needs(first)}
        while trail:
            name = next(reversed(trail))
            index, need = next(trail[name], (0, None))
            if need is None:
                done[name] = by_name[name]
                del trail[name]
            elif need in trail:
                faults.append(_circle(name, index, [*trail][[*trail].index(need) :]))
            elif need in by_name and need not in done:
                trail[need] = _numbered_needs(by_name[need])
    return list(done.values()), faults


def _numbered_needs(slot: Slot) -> Iterator[tuple[int, str]]:
    return iter(enumerate(slot.needs or ()))


def _circle(name: str, index: int, names: list[str]) -> Finding:
    path = ("steps", name, "needs", index)
    if names == [name]:
        return Finding(path, f"step {name!r} needs itself", "wiring")
    return Finding(path, f"steps need each other: {' -> '.join([*names, names[0]])}", "wiring")


@dataclass(slots=True)
class _Linker:
    slots: list[Slot]
    """All of them, in running order."""
    faults: list[Finding]
    links: dict[str, Link] = field(default_factory=dict)
    missed: set[str] = field(default_factory=set)
    """Types that no slot makes; said once, however many take them."""

    def add(self, slot: Slot) -> None:
        """Link a slot to those before it."""
        needs = [name for name in slot.needs or () if name in self.links]
        near = self.with_ancestors(needs) | {"data"}
        earlier = [name for name in self.links if slot.needs is None or name in near]
        inputs: dict[str, str] = {}
        for taken in self.in_sure_order(slot, earlier):
            maker = self.maker(slot, taken, earlier, inputs)
            if maker:
                inputs[taken.removesuffix("?")] = maker
        everything = frozenset(self.links) if "*" in slot.takes else frozenset()
        above = everything or self.with_ancestors([*inputs.values(), *needs])
        self.links[slot.name] = Link(slot, inputs, above)

    def with_ancestors(self, names: Sequence[str]) -> frozenset[str]:
        return frozenset(names).union(*(self.links[name].ancestors for name in names))

    def in_sure_order(self, slot: Slot, earlier: list[str]) -> list[str]:
        """The types that a slot takes, those first that leave no choice."""
        taken = [wanted for wanted in slot.takes if wanted not in NOT_TYPES]
        return sorted(taken, key=lambda wanted: len(self.makers(wanted, earlier)) > 1)

    def makers(self, wanted: str, earlier: Sequence[str]) -> list[str]:
        """Who makes a type; only the nearest where each builds on the one before."""
        wanted = wanted.removesuffix("?")
        makers = [name for name in earlier if self.links[name].slot.makes == wanted]
        chain = all(a in self.links[b].ancestors for a, b in pairwise(makers))
        return makers[-1:] if chain else makers

    def maker(self, slot: Slot, wanted: str, earlier: list[str], inputs: Mapping[str, str]) -> str:
        """The slot among `earlier` that a type is taken from; empty, with a fault if needed.

        Where several could be, it is the one that what was taken already builds on.
        """
        makers = self.makers(wanted, earlier)
        if len(makers) > 1:
            above = self.with_ancestors([*inputs.values()])
            makers = self.makers(wanted, [name for name in earlier if name in above]) or makers
        wanted, optional = wanted.removesuffix("?"), wanted.endswith("?")
        if len(makers) == 1:
            return makers[0]
        path = ("steps", slot.name, "use")
        if makers:
            self.faults.append(Finding(path, _ambiguous(wanted, makers), "wiring"))
        elif not optional and wanted not in self.missed and self.all_known(slot, earlier):
            self.faults.append(Finding(path, self.missing(slot, wanted), "wiring"))
        return ""

    def all_known(self, slot: Slot, earlier: list[str]) -> bool:
        """Whether no other fault (a need, a component that is not there) explains what lacks."""
        known = set(slot.needs or ()) <= set(self.links)
        return known and all(self.links[name].slot.makes for name in earlier)

    def missing(self, slot: Slot, wanted: str) -> str:
        makers = [repr(other.name) for other in self.slots if other.makes == wanted]
        if not makers:
            self.missed.add(wanted)
        if wanted == "problems" and not any(other.name == "data" for other in self.slots):
            return f"{slot.name!r} takes the problems, and the study has no 'data' section"
        if makers and slot.needs is not None:
            return f"takes {wanted!r}, which none of its needs makes; add {' or '.join(makers)}"
        if makers:
            return f"takes {wanted!r}, which only {' and '.join(makers)}, later, makes"
        return f"takes {wanted!r}, which no earlier step makes"


def _ambiguous(wanted: str, makers: list[str]) -> str:
    cures = " or ".join(f"'needs: [{name}]'" for name in makers)
    return f"takes {wanted!r}, which {' and '.join(map(repr, makers))} make; write {cures}"
