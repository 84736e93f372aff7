"""Where plugins are found: the core, entry points, and modules or files named by the user.

Nothing is imported here before `Found.open()` is called.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING

from studyrun.errors import UsageError
from studyrun.faults.suggest import did_you_mean
from studyrun.hookspecs import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import ModuleType

__all__ = ["BROKEN", "Found", "found"]

CORE_MODULES = ("studyrun.verdicts",)
"""Modules of the core that announce components; they belong to the plugin `studyrun`."""
BROKEN = (Exception, SystemExit)
"""What a plugin may raise without taking the command line with it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin that was not opened yet."""

    name: str
    version: str
    owner: str
    module: str
    open: Callable[[], ModuleType]
    """Imports it; may raise anything."""
    file: str = ""
    requested: bool = False


def found(modules: Sequence[str], folder: Path) -> Iterator[Found]:
    """The core, the entry points (studyrun's own first), then `modules` in order.

    Raises:
        UsageError: one of `modules` does not exist.
    """
    yield from _core()
    yield from _installed()
    yield from _requested(modules, folder)


def _core() -> Iterator[Found]:
    from studyrun import __version__

    for module in CORE_MODULES:
        if find_spec(module) is not None:
            yield Found("studyrun", __version__, "studyrun", module, _importer(module))


def _installed() -> Iterator[Found]:
    shippers: dict[int, tuple[str, str]] = {}  # reading a distribution's metadata is slow: once
    found = []
    for point in _entry_points():
        if id(point.dist) not in shippers:
            shippers[id(point.dist)] = _shipper(point.dist)
        owner, version = shippers[id(point.dist)]
        found.append(Found(point.name, version, owner, point.value, point.load))
    # ours first: where a name collides, it is the other plugin that is at fault
    yield from sorted(found, key=lambda each: (each.owner != "studyrun", each.name))


def _entry_points() -> list[metadata.EntryPoint]:
    """Every entry point of the group; a distribution whose entry points are garbage has none."""
    try:
        return list(metadata.entry_points(group=PROJECT))
    except BROKEN:  # one of them spoils all: ask each on its own
        points: list[metadata.EntryPoint] = []
        for distribution in metadata.distributions():
            with suppress(*BROKEN):
                points += distribution.entry_points.select(group=PROJECT)
        return points


def _shipper(distribution: metadata.Distribution | None) -> tuple[str, str]:
    """Name and version of a distribution, as far as its metadata can be read."""
    with suppress(*BROKEN):
        assert distribution is not None
        return distribution.name or "unknown", distribution.version or ""
    return "unknown", ""


def _requested(modules: Sequence[str], folder: Path) -> Iterator[Found]:
    for module in dict.fromkeys(modules):
        if module.endswith(".py") or "/" in module or "\\" in module:
            file = _file_of(module, folder)
            yield Found(
                module, "", "local", _module_name(file), partial(_open_file, file), str(file), True
            )
        else:
            _see(folder)
            _must_exist(module)
            yield Found(module, "", "local", module, _importer(module), requested=True)


def _importer(module: str) -> Callable[[], ModuleType]:
    return partial(import_module, module)


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
