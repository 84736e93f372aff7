"""Asking components what is wrong with the parameters that a study gives them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studyrun import params
from studyrun.contracts import Absent
from studyrun.errors import PluginError, StudyError
from studyrun.faults.findings import ABSENT, Finding
from studyrun.faults.references import references
from studyrun.wiring import Models

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from studyrun.columns import Table
    from studyrun.contracts import Bound, CheckScope, Component, Fault, Kind
    from studyrun.reading.document import KeyPath
    from studyrun.registry import Registry

__all__ = ["Checks", "Usage"]

AT = re.compile(r"(?P<message>.*) - at `\$(?P<path>[^`]*)`", re.DOTALL)
"""How msgspec says where a value is that a parameter class refused."""


@dataclass(frozen=True, slots=True)
class Usage:
    """A place where a study uses a component."""

    path: KeyPath
    kind: Kind
    ref: Any
    """A reference in any of its forms; the mapping, with `needs` too, for a section of a study."""
    component: Component | None
    """None where there is none of that name."""

    @property
    def given(self) -> dict[str, Any]:
        """The parameters that the study gives."""
        given = params.split_ref(self.ref)[1] if isinstance(self.ref, dict) else None
        return given if isinstance(given, dict) else {}

    @property
    def inside(self) -> KeyPath:
        """Where the parameters stand, or where they would."""
        return self._path_of("with")

    @property
    def name_path(self) -> KeyPath:
        """Where the component is named."""
        return self._path_of("use")

    def _path_of(self, key: str) -> KeyPath:
        """Where that key of `{use, with}` stands, which in `{name: parameters}` are one place."""
        if not isinstance(self.ref, dict):
            return self.path
        return (*self.path, params.short_name(self.ref) or key)


class Checks:
    """The checks of components; what several cells of a matrix have alike is bound once."""

    def __init__(self, registry: Registry, folder: Path) -> None:
        self._registry, self._folder = registry, folder
        self._bound: dict[str, Bound | StudyError] = {}
        self._named: dict[str, list[tuple[KeyPath, Kind, Any]]] = {}
        self._told: dict[str, Mapping[str, Table]] = {}
        self._wanted: dict[str, tuple[Component, ...] | StudyError] = {}
        self.models = Models(registry)

    def examine(
        self, usage: Usage, scope: CheckScope, unsound: Collection[KeyPath]
    ) -> tuple[Bound | None, list[Finding]]:
        """The component with typed parameters, and what it and those it names find wrong.

        It is None, and is not asked, where its own parameters (at paths in `unsound`) are known
        to be wrong; the components that they name are asked all the same.
        """
        if usage.component is None:
            return None, []
        inner = self._inner(usage, usage.component)
        others = [each.path for each in inner]
        own = [path for path in unsound if not any(_is_under(path, other) for other in others)]
        bound, found = None, list[Finding]()
        if not any(_concerns(path, usage) for path in own):
            bound, found = self._ask(usage, scope)
        for each in inner:
            found += self.examine(each, scope, unsound)[1]
        return bound, found

    def tables(self, bound: Bound) -> Mapping[str, Table]:
        """What the component tells of its tables.

        Raises:
            PluginError: it fails to tell.
        """
        component = bound.component
        key = json.dumps([component.kind, component.name, params.to_builtins(bound.params)])
        if key not in self._told:
            self._told[key] = self._registry.tables(bound)
        return self._told[key]

    def wants(self, usage: Usage) -> tuple[Component, ...]:
        """The steps that a step wants to show; with its defaults, where its parameters are wrong.

        Raises:
            PluginError: it fails to say.
        """
        if usage.component is None or not usage.component.wants:
            return ()
        key = json.dumps(usage.ref)
        if key not in self._wanted:
            self._wanted[key] = self._asked_wants(usage, usage.component)
        found = self._wanted[key]
        if isinstance(found, StudyError):
            raise found
        return found

    def _asked_wants(
        self, usage: Usage, component: Component
    ) -> tuple[Component, ...] | StudyError:
        bound = self._bind(usage)
        if isinstance(bound, StudyError):
            bound = self._bind(Usage(usage.path, usage.kind, component.name, component))
        if isinstance(bound, StudyError):
            return ()  # said where it is examined
        try:
            return self._registry.wants(bound)
        except StudyError as error:
            return error

    def _inner(self, usage: Usage, component: Component) -> list[Usage]:
        """The components that the parameters name."""
        key = json.dumps([usage.kind, component.name, usage.given])
        if key not in self._named:
            self._named[key] = list(references(component.params, usage.given))
        found = []
        for path, kind, ref in self._named[key]:
            known = self._registry.find(kind, params.split_ref(ref)[0])
            found.append(Usage((*usage.inside, *path), kind, ref, known))
        return found

    def _ask(self, usage: Usage, scope: CheckScope) -> tuple[Bound | None, list[Finding]]:
        bound = self._bind(usage)
        if isinstance(bound, PluginError):
            return None, [Finding(usage.name_path, str(bound), "plugin")]
        if isinstance(bound, StudyError):
            return None, [_refused(bound, usage)]
        found = self._check(usage, bound, scope)
        return (bound if all(each.code == ABSENT for each in found) else None), found

    def _bind(self, usage: Usage) -> Bound | StudyError:
        key = json.dumps([usage.kind, usage.ref])
        if key not in self._bound:
            try:
                self._bound[key] = self._registry.bind(usage.kind, usage.ref, self._folder)
            except StudyError as error:
                self._bound[key] = error
        return self._bound[key]

    def _check(self, usage: Usage, bound: Bound, scope: CheckScope) -> list[Finding]:
        try:
            return [_placed(fault, usage) for fault in self._registry.check(bound, scope)]
        except PluginError as error:
            return [Finding(usage.name_path, str(error), "plugin")]


def _concerns(path: KeyPath, usage: Usage) -> bool:
    """Whether what is wrong at a path keeps the component from being bound."""
    return path == usage.path or any(
        _is_under(path, part) for part in (usage.name_path, usage.inside)
    )


def _is_under(path: KeyPath, other: KeyPath) -> bool:
    return path[: len(other)] == other


def _refused(error: StudyError, usage: Usage) -> Finding:
    """Parameters that fit the schema, but not their class (its `__post_init__` said no)."""
    text = str(error.__cause__ or error)
    placed = AT.fullmatch(text)
    if placed is None:
        return Finding(usage.inside, text, "component")
    keys = re.findall(r"\[(\d+)\]|\.([^.\[]+)", placed["path"])
    inner = tuple(int(index) if index else key for index, key in keys)
    return Finding((*usage.inside, *inner), placed["message"], "component")


def _placed(fault: Fault, usage: Usage) -> Finding:
    path = (*usage.inside, *fault.path)
    code = ABSENT if isinstance(fault, Absent) else "component"
    return Finding(path, fault.message, code, allowed=fault.allowed, within=fault.within)
