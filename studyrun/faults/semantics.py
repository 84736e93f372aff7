"""Faults that no schema can say: wiring, hypotheses, and what components check themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studyrun.contracts import CheckScope
from studyrun.errors import StudyError
from studyrun.faults.checks import Checks, Usage
from studyrun.faults.findings import Finding
from studyrun.faults.hypotheses import column_faults, sound_hypotheses, table_faults
from studyrun.reading.keywords import RESERVED_STEPS
from studyrun.reading.links import Link, Slot, link
from studyrun.reading.wanted import with_wanted
from studyrun.running.tables import public_name
from studyrun.variants import with_variants
from studyrun.wiring import DATA, nodes_of, slot_of, steps_read

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from studyrun.columns import Table
    from studyrun.contracts import Bound, ModelFacts
    from studyrun.reading.document import KeyPath
    from studyrun.registry import Registry
    from studyrun.study import Hypothesis

__all__ = ["Semantics"]

MODEL = "model"


class Semantics:
    """The semantic findings of documents that share a registry and a folder."""

    def __init__(self, registry: Registry, folder: Path) -> None:
        self._registry, self._folder = registry, folder
        self._checks = Checks(registry, folder)

    def findings(self, document: Any, unsound: Collection[KeyPath]) -> list[Finding]:
        """What is wrong beyond the schema, said of whatever conforms to it.

        Args:
            document: the study as plain values, whatever they are.
            unsound: the paths that findings were already made at; the path of a key that is
                not known is also that of what was meant.
        """
        if not isinstance(document, dict):
            return []
        usages = {str(each.path[-1]): each for each in self._usages(document, unsound)}
        slots, failed = self._slots(usages)
        links, wrong = link(slots)
        found = [each for each in wrong if (*each.path[:2], "needs") not in unsound]
        found += failed
        if MODEL not in usages:
            found += _without_model(links)
        hypotheses, faults = sound_hypotheses(document, unsound)
        found += [*faults, *table_faults(hypotheses, links)]
        bound: dict[str, Bound] = {}
        found += self._examined(usages, links, unsound, bound)
        tables, faults = self._told(hypotheses, usages, bound)
        return [*found, *faults, *column_faults(hypotheses, tables)]

    def _slots(self, usages: dict[str, Usage]) -> tuple[list[Slot], list[Finding]]:
        """All steps, those that others want (put into `usages`) too; and who fails to say."""
        failed: dict[KeyPath, Finding] = {}

        def wants(slot: Slot) -> list[Slot]:
            usage = usages.get(slot.name) or self._implied(slot)
            try:
                return [slot_of(each.name, each) for each in self._checks.wants(usage)]
            except StudyError as error:
                failed[usage.path] = Finding(usage.name_path, str(error), "plugin")
                return []

        slots = [_slot(name, usage) for name, usage in usages.items() if name != MODEL]
        slots = with_wanted(slots, wants, model=MODEL in usages)
        usages |= {slot.name: self._implied(slot) for slot in slots if slot.wanted_by}
        return slots, [*failed.values()]

    def _implied(self, slot: Slot) -> Usage:
        """The use of a step that the study does not write, at the one that wants it."""
        path = ("steps", slot.wanted_by, "use")
        return Usage(path, "step", slot.use, self._registry.find("step", slot.use))

    def _usages(self, document: Any, unsound: Collection[KeyPath]) -> Iterator[Usage]:
        for section in (MODEL, DATA):
            if section in document or (section,) in unsound:
                yield self._usage((section,), section, document.get(section))
        steps = document.get("steps")
        for name, spec in steps.items() if isinstance(steps, dict) else ():
            if name not in RESERVED_STEPS:
                yield self._usage(("steps", name), "step", spec)

    def _usage(self, path: KeyPath, kind: Any, ref: Any) -> Usage:
        use = ref.get("use") if isinstance(ref, dict) else None
        known = isinstance(use, str) and not (kind == "step" and use in RESERVED_STEPS)
        return Usage(path, kind, ref, self._registry.find(kind, str(use)) if known else None)

    def _examined(
        self,
        usages: Mapping[str, Usage],
        links: Sequence[Link],
        unsound: Collection[KeyPath],
        bound: dict[str, Bound],
    ) -> Iterator[Finding]:
        """What components say; each is shown those above it that have no fault.

        Those without one are put into `bound`.
        """
        wrong: dict[KeyPath, list[KeyPath]] = {}
        for path in unsound:
            wrong.setdefault(path[: 2 if path[:1] == ("steps",) else 1], []).append(path)
        model, facts = None, None
        if MODEL in usages:
            model, found = self._checks.examine(
                usages[MODEL], CheckScope(), wrong.get((MODEL,), ())
            )
            yield from found
            known = model if not found else None  # of one that is absent nothing is known
            try:
                facts = self._checks.models.facts(known) if known else None
            except StudyError as error:
                yield Finding((MODEL, "with"), str(error), "model")
        for each in links:
            usage = usages[each.slot.name]
            above = {name: bound[name] for name in bound if name in each.ancestors}
            inputs = {made: name for made, name in each.inputs.items() if name in above}
            scope = CheckScope(facts, above, inputs, no_model=MODEL not in usages)
            one, found = self._checks.examine(usage, scope, wrong.get(usage.path, ()))
            bound |= {each.slot.name: one} if one else {}
            yield from (_at_asker(fault, each.slot) for fault in found)
        if (MODEL in usages) == (facts is not None):
            yield from self._unfit_variants(links, bound, model, facts)

    def _told(
        self,
        hypotheses: Sequence[Hypothesis],
        usages: Mapping[str, Usage],
        bound: Mapping[str, Bound],
    ) -> tuple[dict[str, Table], list[Finding]]:
        """What components tell of the tables that hypotheses read, and whose fault it is if not."""
        tables: dict[str, Table] = {}
        faults = []
        for name in steps_read(hypotheses, [*bound]):
            try:
                told = self._checks.tables(bound[name])
            except StudyError as error:
                faults.append(Finding(usages[name].name_path, str(error), "plugin"))
            else:
                tables |= {public_name(name, table): each for table, each in told.items()}
        return tables, faults

    def _unfit_variants(
        self,
        links: Sequence[Link],
        bound: Mapping[str, Bound],
        model: Bound | None,
        facts: ModelFacts | None,
    ) -> list[Finding]:
        """What steps cannot be compared with, said of those above which there is no fault."""
        if not any(each.component.variants for each in bound.values()):
            return []
        sound = [each for each in links if {each.slot.name, *each.ancestors} <= bound.keys()]
        nodes = nodes_of(sound, bound, model, facts)
        return with_variants(nodes, self._registry, self._folder, self._checks.models.facts)[1]


def _slot(name: str, usage: Usage) -> Slot:
    needs = usage.ref.get("needs") if isinstance(usage.ref, dict) else None
    given = tuple(map(str, needs)) if isinstance(needs, list) else None
    if usage.component is None:
        return Slot(name, needs=given)
    return slot_of(name, usage.component, given)


def _at_asker(finding: Finding, slot: Slot) -> Finding:
    """What is wrong with a step that the study does not write, said where it is wanted."""
    if not slot.wanted_by:
        return finding
    path = ("steps", slot.wanted_by, "use")
    where = ".".join(map(str, finding.path[len(path) :]))
    message = f"shows {slot.name!r}, which would be wrong{where and f' in its {where}'}: "
    return Finding(path, message + finding.message, finding.code)


def _without_model(links: Sequence[Link]) -> Iterator[Finding]:
    for each in links:
        if "model" in each.slot.takes:
            name = each.slot.name
            message = f"{name!r} takes the model, and the study has no 'model' section"
            yield Finding(("steps", name, "use"), message, "wiring")
            return  # once is enough
