"""Finding plugins: entry points and modules named by the user, each loaded in isolation.

A plugin that cannot be loaded becomes a `PluginInfo` with its error; it never raises here.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from importlib import import_module, metadata
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from studyrun import hookspecs
from studyrun.contracts import Component
from studyrun.errors import UsageError
from studyrun.suggest import did_you_mean
from studyrun.vetting import faults_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

__all__ = ["PluginInfo", "Rejected", "describe_error", "load_plugins", "new_manager"]

CORE_MODULES = ("studyrun.verdicts",)
"""Modules of the core that announce components; they belong to the plugin `studyrun`."""
BROKEN = (Exception, SystemExit)
"""What a plugin may raise without taking the command line with it."""


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
    infos: list[PluginInfo] = []
    for info, open_module in (*_core(), *_installed(), *_requested(modules, folder)):
        loaded = _load(manager, info, open_module)
        if loaded is not None:
            infos.append(loaded)
    return infos


def _core() -> Iterator[tuple[PluginInfo, Callable[[], ModuleType]]]:
    from studyrun import __version__

    for module in CORE_MODULES:
        if find_spec(module) is not None:
            info = PluginInfo("studyrun", __version__, "studyrun", module)
            yield info, _importer(module)


def _installed() -> Iterator[tuple[PluginInfo, Callable[[], ModuleType]]]:
    read: dict[int, tuple[str, str]] = {}  # reading a distribution's metadata is slow: once
    found = []
    for point in metadata.entry_points(group=hookspecs.PROJECT):
        if point.dist is None:
            continue
        if id(point.dist) not in read:
            read[id(point.dist)] = (point.dist.version, point.dist.name)
        found.append((PluginInfo(point.name, *read[id(point.dist)], point.value), point.load))
    # ours first: where a name collides, it is the other plugin that is at fault
    yield from sorted(found, key=lambda each: (each[0].owner != "studyrun", each[0].name))


def _requested(
    modules: Sequence[str], folder: Path
) -> Iterator[tuple[PluginInfo, Callable[[], ModuleType]]]:
    for module in dict.fromkeys(modules):
        info = PluginInfo(module, "", "local", module, requested=True)
        if module.endswith(".py") or "/" in module or "\\" in module:
            file = _file_of(module, folder)
            info = replace(info, module=_module_name(file), file=str(file))
            yield info, lambda file=file: _open_file(file)  # type: ignore[misc]  # bound now
        else:
            _see(folder)
            _must_exist(module)
            yield info, _importer(module)


def _importer(module: str) -> Callable[[], ModuleType]:
    return lambda: import_module(module)


def _file_of(module: str, folder: Path) -> Path:
    file = (folder / module).resolve()
    file = file / "__init__.py" if file.is_dir() else file
    if file.is_file():
        return file
    near = sorted(path.name for path in file.parent.glob("*.py"))
    raise UsageError(f"plugin {module!r}: no such file{did_you_mean(file.name, near)}")


def _must_exist(module: str) -> None:
    try:
        found = find_spec(module) is not None
    except ModuleNotFoundError as error:
        found = error.name is None or not f"{module}.".startswith(f"{error.name}.")
    except BROKEN:
        found = True  # a parent package is broken: loading says how
    if not found:
        raise UsageError(f"plugin {module!r}: no module of that name can be imported")


def _module_name(file: Path) -> str:
    return file.parent.name if file.name == "__init__.py" else file.stem


def _see(folder: Path) -> None:
    """Make `folder` importable, last, so that nothing installed is shadowed."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _open_file(file: Path) -> ModuleType:
    name = _module_name(file)
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(file):
        return known
    if known is not None or name in sys.stdlib_module_names:
        raise ImportError(f"another module is already called {name!r}; rename the file")
    spec = spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    _see(file.parent.parent if file.name == "__init__.py" else file.parent)
    sys.modules[name] = module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _load(
    manager: pluggy.PluginManager, info: PluginInfo, open_module: Callable[[], ModuleType]
) -> PluginInfo | None:
    """The plugin with what it announces, or with its error; None if it is loaded already."""
    try:
        with redirect_stdout(sys.stderr):  # a plugin that prints must not break --format json
            module = open_module()
            if manager.is_registered(module):
                return None
            info = replace(info, file=info.file or getattr(module, "__file__", None) or "")
            _register(manager, module, info)
            announced = _announced(manager, module)
    except BROKEN as error:
        return replace(info, file=info.file or _origin(info.module), error=describe_error(error))
    return _sorted_out(info, announced)


def _register(manager: pluggy.PluginManager, module: ModuleType, info: PluginInfo) -> None:
    try:
        manager.register(module, name=f"{info.owner}:{info.name}:{info.module}")
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        hooks = manager.get_hookcallers(module) or []
        unknown = [hook.name for hook in hooks if not hook.has_spec()]
        if manager.is_registered(module):
            manager.unregister(module)
        raise TypeError(_hook_fault(unknown, str(error))) from error
    if not manager.get_hookcallers(module):
        manager.unregister(module)
        raise TypeError("it announces nothing: no function is marked with @hookimpl")


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
        if not file.startswith("<frozen") and file != __file__:
            place = f" ({file}:{trace.tb_lineno})"
        trace = trace.tb_next
    return text if isinstance(error, SyntaxError) else text + place
