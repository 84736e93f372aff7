"""Faults that no schema can say: wiring, hypotheses, and what components check themselves."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from studyrun import sql
from studyrun.contracts import CheckScope, Fault, Kind
from studyrun.errors import PluginError, StudyError
from studyrun.findings import Finding
from studyrun.keywords import RESERVED_STEPS
from studyrun.links import Link, Slot, link
from studyrun.plugins import BROKEN, describe_error
from studyrun.references import references
from studyrun.study import Hypothesis
from studyrun.wiring import DATA, place_verdicts, tables_named

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path as Folder

    from studyrun.contracts import Bound, Component, ModelFacts
    from studyrun.document import Path
    from studyrun.registry import Registry

__all__ = ["Semantics"]

MODEL = "model"
AT = re.compile(r"(?P<message>.*) - at `\$(?P<path>[^`]*)`", re.DOTALL)
"""How msgspec says where a value is that a parameter class refused."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A place where a study uses a component."""

    path: Path
    """Of the mapping with `use`."""
    kind: Kind
    given: Any
    component: Component | None
    sound: bool
    """No fault is known in it, so that its parameters can be given a type."""


@dataclass(frozen=True, slots=True, eq=False)
class _Choice:
    """A component with typed parameters, and the components that these name."""

    bound: Bound
    named: tuple[tuple[Path, Kind, Any], ...]


class Semantics:
    """The semantic findings of documents that share a registry and a folder."""

    def __init__(self, registry: Registry, folder: Folder) -> None:
        self._registry, self._folder = registry, folder
        self._choices: dict[str, _Choice] = {}
        self._facts: dict[int, ModelFacts | StudyError] = {}

    def findings(self, document: Any, unsound: Collection[Path]) -> list[Finding]:
        """What is wrong beyond the schema, said of whatever conforms to it.

        Args:
            document: the study as plain values, whatever they are.
            unsound: the paths that findings were already made at; the path of a key that is
                not known is also that of what was meant.
        """
        parts = dict(self._parts(document, unsound))
        slots = [_slot(name, part) for name, part in parts.items() if name != MODEL]
        links, wrong = link(slots)
        found = [each for each in wrong if (*each.path[:2], "needs") not in unsound]
        if (MODEL,) not in unsound:
            found += _without_model(parts, links)
        found += _hypotheses(document, links, unsound)
        return [*found, *self._checks(parts, links)]

    # Where components are used

    def _parts(self, document: Any, unsound: Collection[Path]) -> Iterator[tuple[str, _Part]]:
        if not isinstance(document, dict):
            return
        for section in (MODEL, DATA):
            if section in document or (section,) in unsound:
                yield section, self._part((section,), section, document.get(section), unsound)
        steps = document.get("steps")
        for name, spec in steps.items() if isinstance(steps, dict) else ():
            if name not in RESERVED_STEPS:
                yield name, self._part(("steps", name), "step", spec, unsound)

    def _part(self, path: Path, kind: Any, given: Any, unsound: Collection[Path]) -> _Part:
        use = given.get("use") if isinstance(given, dict) else None
        reserved = RESERVED_STEPS if kind == "step" else ()
        component = None
        if isinstance(use, str) and use not in reserved:
            component = self._registry.find(kind, use)
        sound = not any(other[: len(path)] == path for other in unsound)
        return _Part(path, kind, given, component, sound and component is not None)

    # What components check themselves

    def _checks(self, parts: Mapping[str, _Part], links: Sequence[Link]) -> Iterator[Finding]:
        bound: dict[str, Bound] = {}
        facts = None
        if MODEL in parts:
            yield from self._check(parts[MODEL], CheckScope(), bound, MODEL)
        if MODEL in bound:
            known = self._model_facts(bound.pop(MODEL))
            facts = None if isinstance(known, StudyError) else known
            if isinstance(known, StudyError):
                yield Finding((MODEL, "with"), str(known), "model")
        for each in links:
            name = each.slot.name
            before = {other: bound[other] for other in bound if other in each.ancestors}
            yield from self._check(parts[name], CheckScope(facts, before), bound, name)

    def _check(
        self, part: _Part, scope: CheckScope, bound: dict[str, Bound], name: str
    ) -> Iterator[Finding]:
        """The faults of one part, which is bound under its name if it has none."""
        if not part.sound:
            return
        found = list(self._faults(part.kind, part.given, (*part.path, "with"), scope))
        yield from found
        if not found:
            bound[name] = self._bind(part.kind, part.given).bound

    def _faults(self, kind: Kind, ref: Any, path: Path, scope: CheckScope) -> Iterator[Finding]:
        """Of a component and those that its parameters name; `path` is that of its `with`."""
        try:
            choice = self._bind(kind, ref)
        except PluginError as error:
            yield Finding(_use(path), str(error), "plugin")
        except StudyError as error:
            yield _refused(error, path)
        else:
            yield from self._own_faults(choice.bound, path, scope)
            for inner, inner_kind, value in choice.named:
                within = (*path, *inner, *(["with"] if isinstance(value, dict) else []))
                yield from self._faults(inner_kind, value, within, scope)

    def _bind(self, kind: Kind, ref: Any) -> _Choice:
        """The component with typed parameters; made once for all cells that have it alike."""
        key = json.dumps([kind, ref])
        if key not in self._choices:
            bound = self._registry.bind(kind, ref, self._folder)
            given = ref.get("with", {}) if isinstance(ref, dict) else {}
            named = tuple(references(bound.component.params, given))
            self._choices[key] = _Choice(bound, named)
        return self._choices[key]

    def _own_faults(self, chosen: Bound, path: Path, scope: CheckScope) -> Iterator[Finding]:
        component = chosen.component
        if not component.check:
            return
        try:
            faults = list(self._registry.function(component, component.check)(chosen.params, scope))
            yield from [_placed(fault, path) for fault in faults]
        except PluginError as error:
            yield Finding(_use(path), str(error), "plugin")
        except BROKEN as error:
            owner = self._registry.owner(component).label
            blame = f"plugin {owner}: the check of {component.name!r} failed"
            yield Finding(_use(path), f"{blame}: {describe_error(error)}", "plugin")

    def _model_facts(self, model: Bound) -> ModelFacts | StudyError:
        """What is known of the model; asked once, because it reads the weights."""
        if id(model) not in self._facts:
            try:
                self._facts[id(model)] = self._registry.facts(model)
            except StudyError as error:
                self._facts[id(model)] = error
        return self._facts[id(model)]


def _use(path: Path) -> Path:
    """Where a component is named, from the path of its parameters."""
    return (*path[:-1], "use") if path[-1] == "with" else path


def _refused(error: StudyError, path: Path) -> Finding:
    """Parameters that fit the schema, but not their class (its `__post_init__` said no)."""
    text = str(error.__cause__ or error)
    placed = AT.fullmatch(text)
    if placed is None:
        return Finding(path, text, "component")
    keys = re.findall(r"\[(\d+)\]|\.([^.\[]+)", placed["path"])
    inner = tuple(int(index) if index else key for index, key in keys)
    return Finding((*path, *inner), placed["message"], "component")


def _placed(fault: Fault, path: Path) -> Finding:
    return Finding((*path, *fault.path), fault.message, "component", allowed=fault.allowed)


def _slot(name: str, part: _Part) -> Slot:
    component = part.component
    if component is None:
        return Slot(name, needs=_needs(part.given))
    return Slot(name, component.takes, component.makes, _needs(part.given))


def _needs(given: Any) -> tuple[str, ...] | None:
    needs = given.get("needs") if isinstance(given, dict) else None
    return tuple(str(need) for need in needs) if isinstance(needs, list) else None


def _without_model(parts: Mapping[str, _Part], links: Sequence[Link]) -> Iterator[Finding]:
    takers = [each.slot.name for each in links if "model" in each.slot.takes]
    if takers and MODEL not in parts:
        message = f"{takers[0]!r} takes the model, and the study has no 'model' section"
        yield Finding((*parts[takers[0]].path, "use"), message, "wiring")


def _hypotheses(
    document: Any, links: Sequence[Link], unsound: Collection[Path]
) -> Iterator[Finding]:
    """SQL that cannot be a hypothesis', or that reads tables which are not there."""
    sound = []
    given = document.get("hypotheses") if isinstance(document, dict) else None
    for name, spec in given.items() if isinstance(given, dict) else ():
        path: Path = ("hypotheses", name)
        if any(other[:2] == path for other in unsound):
            continue
        parts = {part: spec[part] for part in ("given", "expect") if part in spec}
        faults = list(_sql_faults(path, parts))
        yield from faults
        parts |= {str(each.path[-1]): "" for each in faults}
        sound.append(Hypothesis(name, spec["claim"], parts["expect"], parts.get("given")))
    if any(each.slot.name != DATA for each in links):
        yield from place_verdicts(links, sound)[1]


def _sql_faults(path: Path, parts: Mapping[str, str]) -> Iterator[Finding]:
    for part, text in parts.items():
        fault = _sql_fault(text)
        if fault is not None:
            yield Finding((*path, part), fault, "hypothesis")


@cache
def _sql_fault(text: str) -> str | None:
    if not (fault := sql.fault_of(text)) and not tables_named(text):
        return "it reads no table; write SELECT <comparison> FROM <step>"
    return fault
