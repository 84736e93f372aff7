"""Plugins as they were found and loaded, each in isolation.

A plugin that cannot be loaded becomes a `PluginInfo` with its error; it never raises here.
"""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from studyrun import hookspecs
from studyrun.contracts import Component
from studyrun.faults.suggest import did_you_mean
from studyrun.plugging.discovery import BROKEN, Found, found
from studyrun.plugging.vetting import faults_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["BROKEN", "PluginInfo", "Rejected", "describe_error", "load_plugins", "new_manager"]

OURS = f"{Path(__file__).parents[1]}{os.sep}"
HEAVY = ("torch", "transformers", "polars", "numpy", "scipy")
"""What makes every command slow if a plugin imports it while it is loaded."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A component that was announced but cannot be used, and why."""

    kind: str
    name: str
    error: str


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One plugin as it was found: who ships it, what it announces, what is wrong with it."""

    name: str
    """The entry point's name, or the module as the user named it."""
    version: str
    """Of the distribution that ships it; empty for a local module."""
    owner: str
    """The distribution that ships it; `local` for a local module."""
    module: str
    file: str = ""
    error: str | None = None
    """Why the plugin as a whole cannot be used."""
    components: tuple[Component, ...] = ()
    """What it announces and is well-formed."""
    rejected: tuple[Rejected, ...] = ()
    """What it announces and is not."""
    observes: bool = False
    """It is told of every event of a run."""
    imports: tuple[str, ...] = ()
    """Heavy packages that loading it imported; a plugin leaves them to its targets."""
    requested: bool = False
    """Named by `-p` or the study's `plugins`, so it must work."""

    @property
    def label(self) -> str:
        """How messages call it: `clamp (studyrun-parity 0.1.0)`."""
        return f"{self.name} ({' '.join(filter(None, (self.owner, self.version)))})"


def new_manager() -> pluggy.PluginManager:
    """A plugin manager that knows studyrun's hooks and no plugin yet."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def load_plugins(
    manager: pluggy.PluginManager, modules: Sequence[str], folder: Path
) -> list[PluginInfo]:
    """Every plugin that can be found: the core, the entry points, then `modules` in order.

    Raises:
        UsageError: one of `modules` does not exist.
    """
    infos = [_load(manager, plugin) for plugin in found(modules, folder)]
    return [info for info in infos if info is not None]


def _load(manager: pluggy.PluginManager, plugin: Found) -> PluginInfo | None:
    """The plugin with what it announces, or with its error; None if it is loaded already."""
    info = PluginInfo(
        plugin.name,
        plugin.version,
        plugin.owner,
        plugin.module,
        plugin.file,
        requested=plugin.requested,
    )
    light = [name for name in HEAVY if name not in sys.modules]
    try:
        with redirect_stdout(sys.stderr):  # a plugin that prints must not break --format json
            module = plugin.open()
            if manager.is_registered(module):
                return None
            info = replace(info, file=info.file or getattr(module, "__file__", None) or "")
            info = _taken_in(manager, info, module)
    except BROKEN as error:
        return replace(info, file=info.file or _origin(info.module), error=describe_error(error))
    return replace(info, imports=tuple(name for name in light if name in sys.modules))


def _taken_in(manager: pluggy.PluginManager, info: PluginInfo, module: ModuleType) -> PluginInfo:
    """The plugin, registered, with what it announces; not registered if that fails."""
    observes = _register(manager, module, info)
    try:
        return _sorted_out(replace(info, observes=observes), _announced(manager, module))
    except BaseException:
        manager.unregister(module)
        raise


def _register(manager: pluggy.PluginManager, module: ModuleType, info: PluginInfo) -> bool:
    """Whether the plugin, registered now, is an observer."""
    try:
        manager.register(module, name=f"{info.owner}:{info.name}:{info.module}")
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        hooks = manager.get_hookcallers(module) or []
        unknown = [hook.name for hook in hooks if not hook.has_spec()]
        if manager.is_registered(module):
            manager.unregister(module)
        raise TypeError(_hook_fault(unknown, str(error))) from error
    names = [hook.name for hook in manager.get_hookcallers(module) or []]
    if not names:
        manager.unregister(module)
        raise TypeError("it announces nothing: no function is marked with @hookimpl")
    return "studyrun_event" in names


def _hook_fault(unknown: list[str], pluggys: str) -> str:
    if unknown:
        known = [name for name in vars(hookspecs) if name.startswith("studyrun_")]
        return f"unknown hook {unknown[0]!r}{did_you_mean(unknown[0], known)}"
    return "; ".join(pluggys.splitlines()[1:])


def _announced(manager: pluggy.PluginManager, module: ModuleType) -> list[Any]:
    announced: list[Any] = []
    for hook in manager.hook.studyrun_components.get_hookimpls():
        if hook.plugin is module:
            answer = hook.function()
            if isinstance(answer, str | Component) or not hasattr(answer, "__iter__"):
                raise TypeError(
                    "studyrun_components() must return a list of Component records, "
                    f"not {type(answer).__name__}"
                )
            announced += answer
    return announced


def _sorted_out(info: PluginInfo, announced: list[Any]) -> PluginInfo:
    good, bad = [], []
    for record in announced:
        faults = faults_of(record)
        if faults:
            kind, name = getattr(record, "kind", "?"), getattr(record, "name", "?")
            bad.append(Rejected(str(kind), str(name), "; ".join(faults)))
        else:
            good.append(record)
    return replace(info, components=tuple(good), rejected=tuple(bad))


def _origin(module: str) -> str:
    """Where a module that did not load lies, as far as that can be told without importing."""
    try:
        spec = find_spec(module.partition(":")[0].partition(".")[0])
    except BROKEN:
        return ""
    return (spec and spec.origin) or ""


def describe_error(error: BaseException) -> str:
    """One line: the kind of error, its message and the plugin's line that raised it."""
    message = " ".join(str(error).split())
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    place, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(("<frozen", OURS)):
            place = f" ({file}:{trace.tb_lineno})"
        trace = trace.tb_next
    return text if isinstance(error, SyntaxError) else text + place
