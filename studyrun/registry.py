"""The registry: every component that the installed and requested plugins offer, by kind and name.

It never imports a target before somebody calls `Bound.load()`.
"""

from __future__ import annotations

import copy
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from studyrun import params
from studyrun.contracts import Bound, CheckScope, Component, Fault, Kind, ModelFacts
from studyrun.derived import derive
from studyrun.drift import digest_of_sources
from studyrun.errors import PluginError, StudyError, UsageError
from studyrun.marks import DROP, rewrite
from studyrun.params import COMPONENT_MARK
from studyrun.plugins import BROKEN, PluginInfo, describe_error, load_plugins, new_manager
from studyrun.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pluggy

__all__ = ["PluginInfo", "Registry"]

SCHEME = re.compile(r"[a-z][a-z0-9-]+:")
"""A path that begins so (`builtin:`, `hub:`) lies in no folder and stays as it is."""


class Registry:
    """What can be used, who offers it, and why something that was announced cannot be used."""

    def __init__(self, manager: pluggy.PluginManager, plugins: Sequence[PluginInfo]) -> None:
        self.plugins = tuple(plugins)
        self._manager = manager
        self._owners: dict[Component, PluginInfo] = {}
        self._served: dict[Component, Component] = {}
        self._offers: dict[tuple[str, str], list[tuple[Component, PluginInfo]]] = {}
        self._rejected: dict[tuple[str, str], PluginError] = {}
        for info in self.plugins:
            self._add(info)
        self._derive_steps()

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

    # What there is

    def components(self, kind: Kind | None = None) -> tuple[Component, ...]:
        """Every usable component (of one kind), sorted by kind and name."""
        usable = (
            offers[0][0]
            for (offered, _), offers in self._offers.items()
            if len(offers) == 1 and kind in (None, offered)
        )
        return tuple(sorted(usable, key=lambda component: (component.kind, component.name)))

    def names(self, kind: Kind) -> tuple[str, ...]:
        """The names that a study may use for that kind, sorted."""
        return tuple(component.name for component in self.components(kind))

    def find(self, kind: Kind, name: str) -> Component | None:
        """The component, or None if there is none that can be used; `fault` says why not."""
        offers = self._offers.get((kind, name), ())
        return offers[0][0] if len(offers) == 1 else None

    def get(self, kind: Kind, name: str) -> Component:
        """The component.

        Raises:
            PluginError: it is announced, but cannot be used.
            UsageError: there is none of that name; the message suggests the nearest.
        """
        component = self.find(kind, name)
        if component is not None:
            return component
        fault = self.fault(kind, name)
        if fault is not None:
            raise fault
        raise UsageError(f"there is no {kind} {name!r}{did_you_mean(name, self.names(kind))}")

    def fault(self, kind: str, name: str) -> PluginError | None:
        """Why a component of that name cannot be used although a plugin announces it."""
        offers = self._offers.get((kind, name), ())
        if len(offers) > 1:
            owners = " and ".join(info.label for _, info in offers)
            message = f"{kind} {name!r} is announced by {owners}; uninstall or rename one of them"
            return PluginError(offers[-1][1].label, message)
        return self._rejected.get((kind, name))

    def faults(self) -> tuple[PluginError, ...]:
        """Everything that is announced but cannot be used, and why, in order of kind and name."""
        announced = sorted({*self._offers, *self._rejected})
        return tuple(filter(None, (self.fault(kind, name) for kind, name in announced)))

    def owner(self, component: Component) -> PluginInfo:
        """The plugin that announces the component (or the one that its step serves)."""
        return self._owners[component]

    # Choosing one

    def bind(self, kind: Kind, ref: str | Mapping[str, Any], folder: Path | None = None) -> Bound:
        """The component that `ref` names, with typed parameters and absolute file paths.

        Args:
            kind: its kind.
            ref: `"name"` or `{use: name, with: {...}}`.
            folder: the study's, which relative paths are relative to.

        Raises:
            PluginError: it is announced, but cannot be used.
            UsageError: there is none of that name, or the parameters do not fit.
        """
        name, given = _split(ref)
        component = self.get(kind, name)
        given = self._located(component, given, folder)
        try:
            typed = params.parse(component.params, given)
        except (msgspec.ValidationError, ValueError) as error:
            raise UsageError(f"{kind} {name!r}: {error}") from error
        return Bound(component, typed, lambda: self.function(component, component.target))

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
        for each in self._behind(bound.component):
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
            for each in self._behind(bound.component)
            if each.digest
        ]
        return "+".join(digests) or None

    def facts(self, bound: Bound) -> ModelFacts:
        """What is known of a model without loading it."""
        facts = self._ask(bound.component, "facts", lambda facts: facts(bound.params))
        if not isinstance(facts, ModelFacts):
            raise self._blame(bound.component, f"facts returned {type(facts).__name__}")
        return facts

    def source_digest(self, component: Component) -> str:
        """sha256 over the .py files of the packages that compute it, for source drift."""
        return digest_of_sources(*(each.target for each in self._behind(component)))

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

    # Building the index

    def _add(self, info: PluginInfo) -> None:
        for rejected in info.rejected:
            self._reject(rejected.kind, rejected.name, info, rejected.error)
        for component in info.components:
            self._owners[component] = info
            if not component.serves:
                self._offer(component, info)

    def _derive_steps(self) -> None:
        for template in [each for each in self._owners if each.serves]:
            for served in [each for each in self._owners if each.kind == template.serves]:
                if served.arity == template.arity:
                    self._derive(template, served)

    def _derive(self, template: Component, served: Component) -> None:
        owner = self._owners[served]
        try:
            step = derive(template, served)
        except (TypeError, NameError) as error:
            self._reject("step", served.name, owner, str(error))
            return
        self._owners[step], self._served[step] = owner, served
        self._offer(step, owner)

    def _reject(self, kind: str, name: str, info: PluginInfo, error: str) -> None:
        self._rejected[kind, name] = PluginError(info.label, f"{kind} {name!r}: {error}")

    def _offer(self, component: Component, info: PluginInfo) -> None:
        self._offers.setdefault((component.kind, component.name), []).append((component, info))

    # Helpers of bind, canonical, digest and facts

    def _located(
        self, component: Component, given: dict[str, Any], folder: Path | None
    ) -> dict[str, Any]:
        base = (folder or Path.cwd()).absolute()

        def change(node: dict[str, Any], value: Any) -> Any:
            kind = node.get(COMPONENT_MARK)
            if kind is None:
                return value if SCHEME.match(value) else str(base / value)
            name, nested = _split(value)
            inner = self.find(kind, name)
            return {"use": name, "with": self._located(inner, nested, base)} if inner else value

        located: dict[str, Any] = rewrite(component.params, given, change)
        return located

    def _canonical_ref(self, bound: Bound) -> dict[str, Any]:
        component, digest = bound.component, self.digest(bound)
        ref = {"use": component.name, "version": component.version, "with": self.canonical(bound)}
        return ref if digest is None else {**ref, "digest": digest}

    def _behind(self, component: Component) -> list[Component]:
        """The component, and the one that it serves if it is a derived step."""
        served = self._served.get(component)
        return [component] if served is None else [component, served]

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


def _split(ref: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    if isinstance(ref, str):
        return ref, {}
    return str(ref.get("use", "")), dict(ref.get("with") or {})
