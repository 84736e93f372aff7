"""The catalogue: what plugins announce, by kind and name, and why some of it cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun.errors import PluginError, UsageError
from studyrun.faults.suggest import did_you_mean
from studyrun.plugging.derived import derive
from studyrun.plugging.plugins import BROKEN, PluginInfo, describe_error
from studyrun.plugging.vetting import faults_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from studyrun.contracts import Component, Kind

__all__ = ["Catalog"]


class Catalog:
    """Looks components up; a name that two plugins announce is nobody's."""

    def __init__(self, plugins: Sequence[PluginInfo]) -> None:
        self.plugins = tuple(plugins)
        self._owners: dict[Component, PluginInfo] = {}
        self._served: dict[Component, Component] = {}
        """Derived step -> the component that it serves."""
        self._offers: dict[tuple[str, str], list[tuple[Component, PluginInfo]]] = {}
        self._rejected: dict[tuple[str, str], list[PluginError]] = {}
        for info in self.plugins:
            self._add(info)
        for template in self._templates():
            self._derive_steps(template)

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
        faults = self._faults(kind, name)
        return faults[0] if faults else None

    def faults(self) -> tuple[PluginError, ...]:
        """Everything that is announced but cannot be used, and why, in order of kind and name."""
        announced = sorted({*self._offers, *self._rejected})
        return tuple(fault for key in announced for fault in self._faults(*key))

    def owner(self, component: Component) -> PluginInfo:
        """The plugin that announces the component (or the one that its step serves)."""
        return self._owners[component]

    def behind(self, component: Component) -> list[Component]:
        """The component, and the one that it serves if it is a derived step."""
        served = self._served.get(component)
        return [component] if served is None else [component, served]

    def _faults(self, kind: str, name: str) -> list[PluginError]:
        offers, rejected = self._offers.get((kind, name), ()), self._rejected.get((kind, name), ())
        if len(offers) < 2:
            return [*rejected]
        owners = " and ".join(info.label for _, info in offers)
        message = f"{kind} {name!r} is announced by {owners}; uninstall or rename one of them"
        return [PluginError(offers[-1][1].label, message), *rejected]

    def _add(self, info: PluginInfo) -> None:
        for rejected in info.rejected:
            self._reject(rejected.kind, rejected.name, info, rejected.error)
        for component in info.components:
            self._owners[component] = info
            if not component.serves:
                self._offer(component, info)

    def _templates(self) -> list[Component]:
        """The steps that serve a kind and an arity; the first one of each, which is the core's."""
        first: dict[tuple[str, int], Component] = {}
        for component, info in self._owners.items():
            if component.serves:
                other = first.setdefault((component.serves, component.arity), component)
                if other is not component:
                    error = f"{self._owners[other].label} serves every {component.serves} already"
                    self._reject("step", component.name, info, error)
        return list(first.values())

    def _derive_steps(self, template: Component) -> None:
        for served in list(self._owners):
            if (served.kind, served.arity) == (template.serves, template.arity):
                self._derive(template, served)

    def _derive(self, template: Component, served: Component) -> None:
        info = self._owners[served]
        try:
            step = derive(template, served)
            faults = faults_of(step)
        except TypeError as error:
            faults = [str(error)]
        except BROKEN as error:
            faults = [describe_error(error)]
        if faults:
            self._reject("step", served.name, info, "; ".join(faults))
        else:
            self._owners[step], self._served[step] = info, served
            self._offer(step, info)

    def _reject(self, kind: str, name: str, info: PluginInfo, error: str) -> None:
        fault = PluginError(info.label, f"{kind} {name!r}: {error}")
        self._rejected.setdefault((kind, name), []).append(fault)

    def _offer(self, component: Component, info: PluginInfo) -> None:
        self._offers.setdefault((component.kind, component.name), []).append((component, info))
