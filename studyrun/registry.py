"""The registry: every component that the installed and requested plugins offer, by kind and name.

It never imports a target before somebody calls `Bound.load()`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from studyrun import params
from studyrun.columns import Table, table_faults
from studyrun.contracts import (
    Bound,
    CheckScope,
    Component,
    Estimate,
    Fault,
    Kind,
    ModelFacts,
    Variant,
)
from studyrun.errors import PluginError, StudyError, UsageError
from studyrun.params import COMPONENT_MARK
from studyrun.plugging.catalog import Catalog
from studyrun.plugging.drift import digest_of_sources
from studyrun.plugging.marks import DROP, rewrite
from studyrun.plugging.plugins import BROKEN, PluginInfo, describe_error, load_plugins, new_manager
from studyrun.plugging.vetting import estimate_fault, variant_faults
from studyrun.reading.fields import Parameters
from studyrun.running.history import RUNS_OWN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pluggy
    import polars as pl

__all__ = ["PluginInfo", "Registry"]

SCHEME = re.compile(r"[a-z][a-z0-9-]+:")
"""A path that begins so (`builtin:`, `hub:`) lies in no folder and stays as it is."""


class Registry(Catalog):
    """Everything that can be used: looks it up, binds it to parameters, asks it for facts."""

    def __init__(self, manager: pluggy.PluginManager, plugins: Sequence[PluginInfo]) -> None:
        super().__init__(plugins)
        self._manager = manager

    @classmethod
    def load(cls, modules: Sequence[str] = (), folder: Path | None = None) -> Registry:
        """The core's, the installed and the requested components.

        Args:
            modules: dotted modules or paths to .py files, as in `-p` and a study's `plugins`.
            folder: what paths are relative to and where modules are looked for last; the
                current folder if None.

        Raises:
            UsageError: one of `modules` does not exist. (One that is broken does not raise
                here; `demand()` does.)
        """
        manager = new_manager()
        return cls(manager, load_plugins(manager, modules, folder or Path.cwd()))

    def demand(self) -> None:
        """Nothing, if every plugin that was asked for by name could be loaded.

        Raises:
            PluginError: for the first one that could not.
        """
        for info in self.plugins:
            if info.requested and info.error:
                raise PluginError(info.name, info.error)

    # Choosing one

    def bind(self, kind: Kind, ref: str | Mapping[str, Any], folder: Path | None = None) -> Bound:
        """The component that `ref` names, with typed parameters and absolute file paths.

        Whatever its parameters name in turn has the form `{use, with}` there.

        Args:
            kind: its kind.
            ref: `"name"`, `{use: name, with: {...}}` or `{name: {...}}`.
            folder: the study's, which relative paths are relative to.

        Raises:
            PluginError: it is announced, but cannot be used.
            UsageError: there is none of that name, or the parameters do not fit.
        """
        name, given = params.split_ref(ref)
        component = self.get(kind, name)
        if not isinstance(given, Mapping):
            raise UsageError(f"{kind} {name!r}: its parameters must be a mapping, not {given!r}")
        given = self._located(component, given, folder)
        try:
            typed = params.parse(component.params, given)
        except (msgspec.ValidationError, ValueError) as error:
            raise UsageError(f"{kind} {name!r}: {error}") from error
        except BROKEN as error:
            raise self._blame(component, f"params: {describe_error(error)}") from error
        owner = self._owners[component].label
        return Bound(component, typed, lambda: self.function(component, component.target), owner)

    def canonical(self, bound: Bound) -> dict[str, Any]:
        """All parameters, defaults included, as plain JSON for keys.

        A nested reference becomes `{use, version, with}` (and `digest` where its component
        reads files); file paths are left out, because the content's digest counts.
        """

        def change(node: dict[str, Any], value: Any) -> Any:
            kind = node.get(COMPONENT_MARK)
            return self._canonical_ref(self.bind(kind, value)) if kind else DROP

        raw = params.to_builtins(bound.params)
        resolved: dict[str, Any] = rewrite(bound.component.params, raw, change)
        return resolved

    def check(self, bound: Bound, scope: CheckScope) -> list[Fault]:
        """The faults that the component finds in its own parameters.

        Raises:
            PluginError: its `check` fails, or finds something that is no `Fault`.
        """
        faults = []
        for each in self.behind(bound.component):
            if each.check:
                faults += self._ask(each, "check", lambda check: list(check(bound.params, scope)))
        for fault in faults:
            if not isinstance(fault, Fault):
                raise self._blame(bound.component, f"check: found {fault!r}, which is no Fault")
        return faults

    def digest(self, bound: Bound) -> str | None:
        """The content digest of the files that the parameters name; None if there are none."""
        digests = [
            self._ask(each, "digest", lambda digest: str(digest(bound.params)))
            for each in self.behind(bound.component)
            if each.digest
        ]
        return "+".join(digests) or None

    def facts(self, bound: Bound) -> ModelFacts:
        """What is known of a model without loading it."""
        facts = self._ask(bound.component, "facts", lambda facts: facts(bound.params))
        if not isinstance(facts, ModelFacts):
            raise self._blame(bound.component, f"facts returned {type(facts).__name__}")
        return facts

    def variants(self, bound: Bound) -> tuple[Variant, ...]:
        """What the step wants to be compared with, with these parameters.

        Raises:
            PluginError: its `variants` fails, or finds something that is no usable `Variant`.
        """
        if not bound.component.variants:
            return ()
        found: tuple[Variant, ...] = self._ask(
            bound.component, "variants", lambda ask: tuple(ask(bound.params))
        )
        for fault in variant_faults(found):
            raise self._blame(bound.component, f"variants: {fault}")
        return found

    def wants(self, bound: Bound) -> tuple[Component, ...]:
        """The steps whose results the step shows where they are there, with these parameters.

        Only those that can be used without any parameter given: one that is not installed is no
        fault.

        Raises:
            PluginError: its `wants` fails, or finds something that is no name.
        """
        if not bound.component.wants:
            return ()
        names = self._ask(bound.component, "wants", lambda ask: tuple(ask(bound.params)))
        for name in names:
            if not isinstance(name, str):
                raise self._blame(bound.component, f"wants: found {name!r}, which is no name")
        found = (self.find("step", name) for name in dict.fromkeys(names))
        return tuple(each for each in found if each and not Parameters(each).required)

    def shown(
        self, component: Component, files: Mapping[str, bytes], run: Mapping[str, Any], cell: str
    ) -> Mapping[str, bytes]:
        """What a run's folder shows in place of a report's stored files; those not named stay.

        Args:
            component: the step that made them.
            files: by name.
            run: the run's record so far.
            cell: the name of the matrix cell.

        Raises:
            PluginError: its `shows` fails, or returns something that cannot be written.
        """
        found = self._ask(component, "shows", lambda show: show(files, run, cell))
        from studyrun.storing.contents import fault_of_files  # a run's, which a check has not

        fault = fault_of_files(found)
        if fault is None and not found.keys().isdisjoint(RUNS_OWN):
            fault = f"{' and '.join(sorted(RUNS_OWN))} are the run's own"
        if fault is not None:
            raise self._blame(component, f"shows: {fault}")
        return cast("Mapping[str, bytes]", found)

    def tables(self, bound: Bound) -> Mapping[str, Table]:
        """The tables of which the component tells the columns, with these parameters, by name.

        Raises:
            PluginError: its `tables` fails, or finds something that is no mapping to `Table`.
        """
        if not bound.component.tables:
            return {}
        found: Mapping[str, Table] = self._ask(
            bound.component, "tables", lambda ask: ask(bound.params)
        )
        for fault in table_faults(found):
            raise self._blame(bound.component, f"tables: {fault}")
        return found

    def schemas(self, bound: Bound) -> dict[str, pl.Schema]:
        """What polars needs to make those of the tables of which every column is told; by name.

        Raises:
            PluginError: `tables` fails, or tells a type that polars does not have.
        """
        told = self.tables(bound).items()
        try:
            return {name: table.schema() for name, table in told if not table.open}
        except ValueError as error:
            raise self._blame(bound.component, f"tables: {error}") from error

    def estimate(self, bound: Bound, scope: CheckScope) -> Estimate | None:
        """What the step will about take; None where its component cannot tell.

        Raises:
            PluginError: its `estimate` fails, or finds something that is no usable `Estimate`.
        """
        if not bound.component.estimate:
            return None
        found = self._ask(bound.component, "estimate", lambda ask: ask(bound.params, scope))
        fault = None if found is None else estimate_fault(found)
        if fault is not None:
            raise self._blame(bound.component, f"estimate: {fault}")
        return cast("Estimate | None", found)

    def source_digest(self, component: Component) -> str:
        """sha256 over the .py files of the packages that compute it, for source drift."""
        behind = self.behind(component)
        targets = (x for each in behind for x in (each.target, each.many) if x)
        return digest_of_sources(*targets)

    def function(self, component: Component, reference: str) -> Any:
        """What `module:name` (a component's target, say) names; imported now.

        Raises:
            PluginError: it cannot be imported or called; the message names the owner.
        """
        module, _, name = reference.partition(":")
        try:
            found = getattr(import_module(module), name)
        except BROKEN as error:
            raise self._blame(component, f"{reference}: {describe_error(error)}") from error
        if not callable(found):
            raise self._blame(component, f"{reference} is not callable")
        return found

    def emit(self, event: Mapping[str, Any]) -> list[str]:
        """Tell every observer; the warnings for those that failed, who are told no more."""
        warnings = []
        for hook in self._manager.hook.studyrun_event.get_hookimpls():
            told = {"event": copy.deepcopy(dict(event))}
            try:
                hook.function(**{name: told[name] for name in hook.argnames})
            except BROKEN as error:
                self._manager.unregister(hook.plugin)
                owner = hook.plugin_name.split(":")[1]
                warnings.append(
                    f"observer {owner!r} failed and is told no more: {describe_error(error)}"
                )
        return warnings

    # Helpers of bind, canonical, digest and facts

    def _located(
        self, component: Component, given: Mapping[str, Any], folder: Path | None
    ) -> dict[str, Any]:
        base = (folder or Path.cwd()).absolute()

        def change(node: dict[str, Any], value: Any) -> Any:
            kind = node.get(COMPONENT_MARK)
            if kind is None:
                return _absolute(value, base)
            name, nested = params.split_ref(value)
            if not isinstance(nested, Mapping):  # said where the component itself is bound
                return {"use": name, "with": {}}
            inner = self.find(kind, name)
            return {"use": name, "with": self._located(inner, nested, base) if inner else nested}

        located: dict[str, Any] = rewrite(component.params, given, change)
        return located

    def _canonical_ref(self, bound: Bound) -> dict[str, Any]:
        component, digest = bound.component, self.digest(bound)
        ref = {"use": component.name, "version": component.version, "with": self.canonical(bound)}
        return ref if digest is None else {**ref, "digest": digest}

    def _ask(self, component: Component, role: str, ask: Callable[[Any], Any]) -> Any:
        function = self.function(component, getattr(component, role))
        try:
            return ask(function)
        except StudyError:
            raise
        except OSError as error:
            raise UsageError(f"{component.kind} {component.name!r}: {error}") from error
        except BROKEN as error:
            raise self._blame(component, f"{role}: {describe_error(error)}") from error

    def _blame(self, component: Component, message: str) -> PluginError:
        owner = self._owners[component].label
        return PluginError(owner, f"{component.kind} {component.name!r}: {message}")


def _absolute(path: str, folder: Path) -> str:
    if SCHEME.match(path):
        return path
    return str(folder / (Path(path).expanduser() if path.startswith("~/") else path))
