"""A draft: one document out of a file, the files it extends and `--set`, not yet validated."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from studyrun.diagnostics import Diagnostic
from studyrun.errors import InvalidStudy
from studyrun.faults.suggest import nearest
from studyrun.reading.document import Node, path_text
from studyrun.reading.overrides import assign, merge, parse_setting
from studyrun.reading.parser import parse
from studyrun.source import Source, read

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Draft", "read_draft"]


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A document with everything laid over it, and the faults met on the way."""

    root: Node | None
    """None where there is too little left to speak of."""
    faults: tuple[Diagnostic, ...]
    folder: Path
    """The study's folder, which its relative paths are relative to."""
    files: tuple[str, ...]
    """The study, then those that it extends, nearest first."""

    @property
    def plugins(self) -> tuple[tuple[int, str], ...]:
        """The plugins that the study names (those that are text), by index."""
        named = self.root.get("plugins") if self.root else None
        items = named.value if named is not None and isinstance(named.value, tuple) else ()
        return tuple((i, item.value) for i, item in enumerate(items) if isinstance(item.value, str))

    def in_order(self, diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
        """By file (`--set` comes last), line and column."""
        files = {name: number for number, name in enumerate(self.files)}
        last = len(files)
        return tuple(sorted(diagnostics, key=lambda d: (files.get(d.file, last), d.line, d.column)))


def read_draft(study: Path | Source, settings: Sequence[str] = ()) -> Draft:
    """The draft of a file (or of text in memory), with settings applied in order."""
    layers = _Layers()
    try:
        source: Source | None = study if isinstance(study, Source) else read(study)
        while source is not None:
            source = layers.add(source)
    except InvalidStudy as error:
        layers.refuse(*error.diagnostics)
    root = None if layers.broken else reduce(merge, reversed(layers.nodes))
    faults = layers.faults
    for argument in settings:
        assignment, wrong = parse_setting(argument)
        faults += wrong
        if assignment and root:
            root, fault = assign(root, assignment)
            faults += [fault] if fault else []
    path = study.path if isinstance(study, Source) else study
    folder = path.parent if path else Path.cwd()
    return Draft(root, tuple(faults), folder, tuple(layers.names))


@dataclass(slots=True)
class _Layers:
    """The documents of a chain of `extends`, the study itself first."""

    nodes: list[Node] = field(default_factory=list)
    faults: list[Diagnostic] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    seen: list[Path] = field(default_factory=list)
    broken: bool = False

    def add(self, source: Source) -> Source | None:
        """Take in one document; the source that it extends, if it does."""
        self.names.append(source.name)
        self.seen += [source.path.resolve()] if source.path else []
        root, faults = parse(source)
        self.faults += faults
        if root is None or not isinstance(root.value, dict):
            self.refuse(*(() if faults else [_no_mapping(source, root)]))
            return None
        entries = dict(root.value)
        extends = entries.pop("extends", None)
        self.nodes.append(replace(root, value=entries))
        return self.follow(source, extends.node) if extends else None

    def follow(self, source: Source, extends: Node) -> Source | None:
        """The source that `extends` names."""
        target = extends.value
        folder = source.path.parent if source.path else Path()
        if extends.faulty:
            self.broken = True
        elif not isinstance(target, str) or not target.strip():
            self.refuse(_wrong(extends, "expected the path of a study"))
        elif not (folder / target).is_file():
            self.refuse(_missing(extends, folder / target))
        elif (folder / target).resolve() in self.seen:
            self.refuse(_cycle(extends, self.seen, (folder / target).resolve()))
        else:
            return read(folder / target)
        return None

    def refuse(self, *faults: Diagnostic) -> None:
        self.broken = True
        self.faults += faults


def _no_mapping(source: Source, root: Node | None) -> Diagnostic:
    if root is None:
        message = "the study is empty; it needs at least 'study' and 'steps'"
        return Diagnostic(source.place(0, 1), "$", message, code="type")
    message = "a study is a mapping of keys to values, as in 'study: name'"
    return Diagnostic(root.span.place, "$", message, code="type")


def _wrong(extends: Node, message: str, near: str = "") -> Diagnostic:
    place, path = extends.span.place, path_text(("extends",))
    return Diagnostic(place, path, message, code="extends", suggestion=near)


def _missing(extends: Node, target: Path) -> Diagnostic:
    try:
        there = sorted(file.name for file in target.parent.glob("*.y*ml"))
    except OSError:
        there = []
    near = nearest(target.name, there)
    suggestion = str(Path(str(extends.value)).with_name(near[0])) if near else ""
    return _wrong(extends, f"there is no file {str(target)!r}", suggestion)


def _cycle(extends: Node, seen: list[Path], target: Path) -> Diagnostic:
    names = [path.name for path in seen[seen.index(target) :]]
    return _wrong(extends, f"studies extend each other: {' -> '.join([*names, target.name])}")
