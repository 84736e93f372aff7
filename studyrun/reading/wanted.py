"""Steps that a study does not write: what another step wants to show, placed where it can be made.

Such a step is what it would be if it stood in the study, under the name that it gets here and with
the `needs` that it gets here; the rules of `links` decide what it takes.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, count
from typing import TYPE_CHECKING

from studyrun.reading.keywords import LONGEST_NAME, RESERVED_STEPS
from studyrun.reading.links import choices, link

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from studyrun.reading.links import Slot

__all__ = ["with_wanted"]


def with_wanted(
    slots: Sequence[Slot], wants: Callable[[Slot], Iterable[Slot]], *, model: bool
) -> list[Slot]:
    """The slots, and before those that want them the steps that can be made; in running order.

    A step is placed before the first one that takes everything (and so before the verdicts), or
    where its inputs are made only later, before the one that wants it. One whose component the
    study uses, or whose inputs are missing, is not placed. Where a type that it takes is made by
    several, there is one for each that settles all it takes. One that the study writes after the
    step that wants it (it extends a study, whose report comes first) is moved to that place, unless
    that would change what any step takes but those that show. Without any, the slots stay as
    they are.

    Args:
        slots: the study's.
        wants: what a slot wants, as slots that are named like their component.
        model: whether the study has one.
    """
    placed = [*slots]
    for asker in slots:
        placed = _drawn(asker, placed, {wanted.use for wanted in wants(asker)})
    while more := next(_placings(placed, wants, model=model), None):
        placed = more
    return placed


def _drawn(asker: Slot, slots: list[Slot], uses: Collection[str]) -> list[Slot]:
    """The slots with those of these uses before the asker, in so far as they can be."""
    for late in slots:
        if late.use not in uses or "*" in late.takes:
            continue
        order = [each.slot for each in link(slots)[0]]
        if late in order[order.index(asker) :]:
            others = [slot for slot in order if slot is not late]
            moved = ([*others[:at], late, *others[at:]] for at in _showing(others, asker))
            slots = next((each for each in moved if _same(order, each, asker)), slots)
    return slots


def _same(before: Sequence[Slot], after: Sequence[Slot], asker: Slot) -> bool:
    """Whether every slot takes the same in both orders, in which it runs; the asker may differ."""
    (old, faults), (new, others) = link(before), link(after)
    taken = {each.slot.name: each.inputs for each in old if each.slot is not asker}
    same = all(taken.get(each.slot.name, each.inputs) == each.inputs for each in new)
    return same and len(others) <= len(faults) and [each.slot for each in new] == [*after]


def _showing(order: Sequence[Slot], asker: Slot) -> list[int]:
    """Before which places a step may stand that the asker shows, the first one preferred.

    They are the first step that takes everything (and so the verdicts), and the asker.
    """
    last = order.index(asker)
    first = next((at for at, slot in enumerate(order) if "*" in slot.takes), last)
    return sorted({min(first, last), last})


def _placings(
    slots: list[Slot], wants: Callable[[Slot], Iterable[Slot]], *, model: bool
) -> Iterator[list[Slot]]:
    """The slots with one more wanted component each; the names' order decides, not the asker's."""
    used = {*RESERVED_STEPS, *(slot.use for slot in slots)}
    asked = [
        (asker, wanted)
        for asker in slots
        for wanted in sorted(wants(asker), key=lambda slot: slot.use)
        if wanted.use not in used and (model or "model" not in wanted.takes)
    ]
    for asker, wanted in asked:
        found = _before(asker, slots, replace(wanted, wanted_by=asker.name))
        if found:
            yield found


def _before(asker: Slot, slots: Sequence[Slot], wanted: Slot) -> list[Slot]:
    """All slots with the wanted one; empty where it cannot be made."""
    order = [each.slot for each in link(slots)[0]]
    taken = {slot.name.casefold() for slot in slots} | {*RESERVED_STEPS}
    for at in _showing(order, asker):
        found = _settled(order[:at], wanted, taken)
        if found:
            return [*order[:at], *found, *order[at:]]
    return []


def _settled(earlier: Sequence[Slot], wanted: Slot, taken: Collection[str]) -> list[Slot]:
    """The wanted slot under a free name, or one for each of several that it could build on."""
    if _fits(earlier, alone := _named(wanted, wanted.use, taken)):
        return [alone]
    for makers in choices(earlier, wanted):
        found: dict[str, Slot] = {}
        for maker in makers:
            name = f"{wanted.use}-{maker}"
            slot = _named(wanted, name, {*taken, *found}, (maker,))
            if _fits(earlier, slot):
                found[slot.name.casefold()] = slot
        if found:
            return [*found.values()]
    return []


def _named(
    wanted: Slot, name: str, taken: Collection[str], needs: tuple[str, ...] | None = None
) -> Slot:
    names = chain([name], (f"{name[: LONGEST_NAME - 4]}-{number}" for number in count(2)))
    fits = (name for name in names if name.casefold() not in taken and len(name) <= LONGEST_NAME)
    return replace(wanted, name=next(fits), needs=needs)


def _fits(earlier: Sequence[Slot], slot: Slot) -> bool:
    """Whether nothing is wrong with the slot after these (of which something may be unknown)."""
    faults = link([*earlier, slot])[1]
    return not any(fault.path[:2] == ("steps", slot.name) for fault in faults)
