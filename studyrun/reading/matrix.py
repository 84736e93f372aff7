"""`matrix`: one study as many, a cell for every combination of the axes' values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from studyrun.diagnostics import Diagnostic, Related
from studyrun.reading.document import Entry, Node, path_text
from studyrun.reading.overrides import Assignment, assign, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from studyrun.source import Span

__all__ = ["FIXED", "MAX_CELLS", "Cell", "expand"]

MAX_CELLS = 512
FIXED = ("study", "extends", "matrix", "plugins", "runtime")
"""The same in every cell: a run has one name, one set of plugins and one device."""
LONGEST_LABEL = 32
LONGEST_NAME = 200
"""Characters; a value or a cell with a longer name is called by its number (a folder has 255)."""


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A study of its own: where it lies in the matrix, and its document."""

    name: str
    """`k=16,layer=3`; empty for a study without a matrix."""
    axes: Mapping[str, Any]
    """The cell's value on every axis."""
    root: Node


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    parts: tuple[str, ...]
    keys: tuple[Span, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Axis:
    name: str
    paths: tuple[_Path, ...]
    values: tuple[Node, ...]
    labels: tuple[str, ...]


def expand(root: Node) -> tuple[list[Cell], list[Diagnostic]]:
    """The cells of a study whose matrix has the right shape; the first axis varies slowest.

    A study without a matrix is its own only cell.
    """
    entries = dict(root.entries)
    matrix = entries.pop("matrix", None)
    base = Node(entries, root.span, root.faulty, root.partial)
    if matrix is None:
        return [Cell("", {}, base)], []
    axes, faults = _axes(matrix.node)
    if prod(len(axis.values) for axis in axes) > MAX_CELLS:
        faults.append(_fault(matrix.key, f"the matrix has more than {MAX_CELLS} cells"))
    if faults:
        return [], faults
    choices = list(product(*(range(len(axis.values)) for axis in axes)))
    made = [_cell(base, axes, choice, number) for number, choice in enumerate(choices, start=1)]
    faults = [fault for _, wrong in made for fault in wrong]
    return ([] if faults else [cell for cell, _ in made]), faults


def _cell(
    base: Node, axes: Sequence[_Axis], choice: Sequence[int], number: int
) -> tuple[Cell, list[Diagnostic]]:
    root, faults = base, []
    chosen = list(zip(axes, choice, strict=True))
    for axis, index in chosen:
        for path in axis.paths:
            root, fault = assign(root, Assignment(path.parts, path.keys, axis.values[index]))
            faults += [fault] if fault else []
    name = ",".join(f"{axis.name}={axis.labels[index]}" for axis, index in chosen)
    values = {axis.name: axis.values[index].plain() for axis, index in chosen}
    return Cell(name if len(name) <= LONGEST_NAME else f"cell-{number}", values, root), faults


def _axes(matrix: Node) -> tuple[list[_Axis], list[Diagnostic]]:
    axes, faults = [], []
    names = _names(matrix.entries)
    taken: dict[str, Span] = {}
    for key, entry in matrix.entries.items():
        listed = entry.node.value
        values = listed if isinstance(listed, tuple) else _items(entry, "values")
        paths, wrong = _paths(key, entry, taken)
        faults += [*wrong, *_twice(values)]
        axes.append(_Axis(names[key], paths, values, _labels(values)))
    return axes, faults


def _items(entry: Entry, key: str) -> tuple[Node, ...]:
    node = entry.node.get(key)
    return node.value if node is not None and isinstance(node.value, tuple) else ()


def _paths(
    key: str, entry: Entry, taken: dict[str, Span]
) -> tuple[tuple[_Path, ...], list[Diagnostic]]:
    """The paths that an axis sets; none of them fixed, or set by an axis before."""
    written = [(str(item.value), item.span) for item in _items(entry, "paths")]
    paths, faults = [], []
    for text, span in written or [(key, entry.key)]:
        parts, keys, fault = dotted(text, span)
        if parts and parts[0] in FIXED:
            fault = _fault(span, f"{parts[0]!r} is the same in every cell")
        elif text in taken:
            other = Related(taken[text].place, "first here")
            fault = _fault(span, f"{text!r} is set twice", other)
        taken.setdefault(text, span)
        faults += [fault] if fault else []
        paths.append(_Path(parts, keys))
    return tuple(paths), faults


def _names(axes: Mapping[str, Entry]) -> dict[str, str]:
    """Axes by short names: `k` for `steps.sae.with.k`, `sae.k` if another one is called `k`."""
    last = {key: key.rpartition(".")[2] for key in axes}
    names = {}
    for key, short in last.items():
        parts = [part for part in key.split(".") if part not in ("steps", "with")]
        names[key] = short if list(last.values()).count(short) == 1 else ".".join(parts)
    return {key: re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII) for key, name in names.items()}


def _labels(values: Sequence[Node]) -> tuple[str, ...]:
    """A name for every value that may stand in a folder's name, all different in any case."""
    labels: list[str] = []
    for number, value in enumerate(values, start=1):
        label = _label(value.plain())
        if not 0 < len(label) <= LONGEST_LABEL:
            label = f"v{number}"
        while label.casefold() in (other.casefold() for other in labels):
            label += f"_{number}"
        labels.append(label)
    return tuple(labels)


def _label(value: Any) -> str:
    """`16`, `true`, `3+5` for a list; empty for what has no short name."""
    if isinstance(value, dict):
        return ""
    if isinstance(value, list):
        labels = [_label(item) for item in value]
        return "+".join(labels) if all(labels) else ""
    text = value if isinstance(value, str) else json.dumps(value)
    return re.sub(r"[^\w.-]", "_", text, flags=re.ASCII)


def _twice(values: Sequence[Node]) -> Iterator[Diagnostic]:
    first: dict[str, Node] = {}
    for value in values:
        written = json.dumps(value.plain(), sort_keys=True)
        if not value.faulty and first.setdefault(written, value) is not value:
            yield _fault(value.span, "this value is already in the axis")


def _fault(span: Span, message: str, *related: Related) -> Diagnostic:
    path = path_text(("matrix",))
    return Diagnostic(span.place, path, message, code="matrix", related=related)
