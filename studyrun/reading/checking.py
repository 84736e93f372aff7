"""Reading a study: from a file and settings to studies, or to everything that is wrong with it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from studyrun.diagnostics import Diagnostic
from studyrun.errors import InvalidStudy, UsageError
from studyrun.reading.document import Node, path_text
from studyrun.reading.drafts import Draft, read_draft
from studyrun.reading.matrix import Cell, expand
from studyrun.registry import Registry
from studyrun.source import Source
from studyrun.study import Study
from studyrun.validation import Validator, in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Checked", "check_study", "load_study"]


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """A study that was looked at: its cells, or what is wrong."""

    cells: tuple[Study, ...] | None
    """In the matrix's order; one for a study without a matrix. None if there is an error."""
    diagnostics: tuple[Diagnostic, ...]
    """In the order of the files: the study, those it extends, `--set`."""
    registry: Registry | None = None
    """With the study's plugins; None if the study could not be read far enough to know them."""
    documents: tuple[Node, ...] = ()
    """Of the cells, in their order, for faults that are found later."""


def load_study(
    study: Path | str | Source, settings: Sequence[str] = (), registry: Registry | None = None
) -> tuple[Study, ...]:
    """The cells of a valid study; one if it has no matrix.

    Raises:
        InvalidStudy: with every fault.
    """
    checked = check_study(study, settings, registry)
    if checked.cells is None:
        raise InvalidStudy(checked.diagnostics)
    return checked.cells


def check_study(
    study: Path | str | Source,
    settings: Sequence[str] = (),
    registry: Registry | None = None,
    modules: Sequence[str] = (),
) -> Checked:
    """The study's cells, or all of its faults at once.

    Args:
        study: a file, or text in memory as a `Source`.
        settings: `path=value`, as in `--set`.
        registry: the components; loaded with `modules` and the study's own plugins if None.
        modules: local plugins, as in `-p`, relative to the current folder.

    Raises:
        UsageError: one of `modules` does not exist.
    """
    draft = read_draft(study if isinstance(study, Source) else Path(study), settings)
    if draft.root is None:
        return Checked(None, draft.in_order(draft.faults))
    wrong: list[Diagnostic] = []
    if registry is None:
        registry, wrong = _registry(draft, draft.root, modules)
    found, cells = _examine(draft.root, Validator(registry, draft.folder))
    diagnostics = draft.in_order((*draft.faults, *wrong, *found))
    if any(each.severity == "error" for each in diagnostics):
        return Checked(None, diagnostics, registry)
    studies = tuple(_study(cell, draft.folder) for cell in cells)
    return Checked(studies, diagnostics, registry, tuple(cell.root for cell in cells))


def _examine(root: Node, validator: Validator) -> tuple[list[Diagnostic], list[Cell]]:
    found = validator.matrix_diagnostics(root)
    cells, faults = ([], []) if found else expand(root)
    if not found and not faults:
        return in_order(d for cell in cells for d in validator.diagnostics(cell.root)), cells
    # the study as it would be without its matrix, which might have filled in what is missing
    base = replace(root, value={k: e for k, e in root.entries.items() if k != "matrix"})
    rest = [each for each in validator.diagnostics(base) if each.code != "missing-key"]
    return in_order([*found, *faults, *rest]), []


def _study(cell: Cell, folder: Path) -> Study:
    document = cell.root.plain()
    if cell.name:
        document["cell"] = {"name": cell.name, "axes": cell.axes}
    return Study.from_plain(document, folder)


# The study's own plugins


def _registry(
    draft: Draft, root: Node, modules: Sequence[str]
) -> tuple[Registry, list[Diagnostic]]:
    """The components, with those of the plugins that the study names, and what is wrong there."""
    asked = [_absolute(module, Path.cwd()) for module in modules]
    named = {_absolute(name, draft.folder): index for index, name in draft.plugins}
    try:
        registry = Registry.load([*asked, *named], draft.folder)
        missing = {}
    except UsageError:
        Registry.load(asked, draft.folder)  # not the study's fault: said to who asked
        missing = dict(_missing(named, draft.folder))
        registry = Registry.load([*asked, *(named.keys() - missing.keys())], draft.folder)
    broken = {info.name: info.error for info in registry.plugins if info.error}
    wrong = {**broken, **missing}
    return registry, [_fault(root, named[name], wrong[name]) for name in named if name in wrong]


def _missing(modules: Iterable[str], folder: Path) -> Iterator[tuple[str, str]]:
    for module in modules:
        try:
            Registry.load([module], folder)
        except UsageError as error:
            yield module, str(error)


def _absolute(module: str, folder: Path) -> str:
    """A path to a plugin's file, made absolute; a dotted module stays as it is."""
    is_file = module.endswith(".py") or "/" in module or os.sep in module
    return str((folder / module).absolute()) if is_file else module


def _fault(root: Node, index: int, error: str) -> Diagnostic:
    path = ("plugins", index)
    *_, entry = root.along(path)
    return Diagnostic(entry.node.span.place, path_text(path), error, code="plugin")
