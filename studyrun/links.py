"""Which step takes its inputs from which: the rules, on names and artifact types alone.

Tolerant on purpose: it links what can be linked and says what cannot, so that a study with one
mistake is still checked in every other place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from studyrun.findings import Finding
from studyrun.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Link", "Slot", "link"]


@dataclass(frozen=True, slots=True)
class Slot:
    """What is to be linked: a step, the data, or the verdicts."""

    name: str
    takes: tuple[str, ...] = ()
    makes: str = ""
    """Empty where the component is unknown, so nobody can say what it makes."""
    needs: tuple[str, ...] | None = None


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
    faults = list(_unknown_needs(slots))
    order, cyclic = _order(slots)
    linker = _Linker(slots=[*order], faults=[*faults, *cyclic])
    for slot in order:
        linker.add(slot)
    return linker.links, linker.faults


def _unknown_needs(slots: Sequence[Slot]) -> Iterator[Finding]:
    names = tuple(slot.name for slot in slots)
    for slot in slots:
        for index, need in enumerate(slot.needs or ()):
            if need in names:
                continue
            others = tuple(name for name in names if name != slot.name)
            near = nearest(need, others)[:1]
            path = ("steps", slot.name, "needs", index)
            yield Finding(path, f"there is no step {need!r}", "wiring", None, others, "".join(near))


def _order(slots: Sequence[Slot]) -> tuple[list[Slot], list[Finding]]:
    """Depth first along `needs`, without recursion; a need that closes a circle is reported."""
    by_name = {slot.name: slot for slot in slots}
    done: dict[str, Slot] = {}
    faults = []
    for first in slots:
        trail: list[tuple[Slot, Iterator[tuple[int, str]]]] = []
        pending: Slot | None = first if first.name not in done else None
        while pending or trail:
            if pending:
                trail.append((pending, iter(enumerate(pending.needs or ()))))
                pending = None
            slot, needs = trail[-1]
            for index, need in needs:
                names = [step.name for step, _ in trail]
                if need in names:
                    faults.append(_circle(slot, index, [*names[names.index(need) :], need]))
                elif need in by_name and need not in done:
                    pending = by_name[need]
                    break
            else:
                done[slot.name] = trail.pop()[0]
    return list(done.values()), faults


def _circle(slot: Slot, index: int, names: list[str]) -> Finding:
    path = ("steps", slot.name, "needs", index)
    if len(names) == 2:
        return Finding(path, f"step {slot.name!r} needs itself", "wiring")
    return Finding(path, f"steps need each other: {' -> '.join(names)}", "wiring")


@dataclass(slots=True)
class _Linker:
    slots: list[Slot]
    """All of them, in running order."""
    links: list[Link] = field(default_factory=list)
    faults: list[Finding] = field(default_factory=list)
    missed: set[str] = field(default_factory=set)
    """Types that no slot makes; said once, however many take them."""

    def add(self, slot: Slot) -> None:
        by_name = {link.slot.name: link for link in self.links}
        needs = [name for name in slot.needs or () if name in by_name]
        earlier = list(by_name)
        if slot.needs is not None:
            near = {"data", *needs, *(a for name in needs for a in by_name[name].ancestors)}
            earlier = [name for name in earlier if name in near]
        inputs = {}
        for wanted in slot.takes:
            if wanted in ("*", "model", "model?", "study"):
                continue
            maker = self.maker(slot, wanted.removesuffix("?"), earlier, needed=wanted[-1] != "?")
            if maker is not None:
                inputs[wanted.removesuffix("?")] = maker
        direct = {*inputs.values(), *needs, *(by_name if "*" in slot.takes else ())}
        above = frozenset(direct).union(*(by_name[name].ancestors for name in direct))
        self.links.append(Link(slot, inputs, above))

    def maker(self, slot: Slot, wanted: str, earlier: list[str], *, needed: bool) -> str | None:
        """The slot among `earlier` that a type is taken from; None, with a fault if `needed`."""
        by_name = {link.slot.name: link for link in self.links}
        makers = [name for name in earlier if by_name[name].slot.makes == wanted]
        if all(one in by_name[other].ancestors for one, other in pairwise(makers)) and makers:
            return makers[-1]
        path = ("steps", slot.name, "use")
        explained = not set(slot.needs or ()) <= set(by_name)  # a need that is no step
        explained |= not all(by_name[name].slot.makes for name in earlier)
        if makers:
            self.faults.append(Finding(path, _ambiguous(wanted, makers), "wiring"))
        elif needed and not explained and wanted not in self.missed:
            self.faults.append(Finding(path, self.missing(slot, wanted), "wiring"))
        return None

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
