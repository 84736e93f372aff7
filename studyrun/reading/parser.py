"""From text to nodes in one parse, with every fault that YAML can have in a study.

PyYAML's parser says what is written (events with marks); which scalar means what (`scalars.py`)
and what a study may contain is decided here. Nothing recurses and nothing grows with aliases:
depth and the expanded number of values are bounded while reading.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from studyrun.diagnostics import Diagnostic, Related
from studyrun.reading.document import Entry, KeyPath, Node, path_text
from studyrun.reading.scalars import resolve
from studyrun.reading.syntax import syntax_fault
from studyrun.source import Source, Span, character_faults

__all__ = ["MAX_DEPTH", "MAX_NODES", "Parsed", "parse"]

MAX_DEPTH = 32
"""Mappings and lists inside each other; far above any study's, far below Python's stack."""
MAX_NODES = 10_000
"""Values in a study with every alias written out."""
LOADER = getattr(yaml, "CLoader", yaml.Loader)
"""libyaml where PyYAML was built with it: six times faster, the same events."""


class Parsed(NamedTuple):
    """The root, or None where there is no document, and every fault met."""

    root: Node | None
    faults: tuple[Diagnostic, ...]


def parse(source: Source, start: int = 0, at: KeyPath = (), *, loader: Any = LOADER) -> Parsed:
    """The document that the source holds from `start` on; positions are the source's.

    Faults name paths below `at`.
    """
    faults = character_faults(source)
    if faults:
        return Parsed(None, tuple(faults))
    composer = _Composer(source, at)
    try:
        for event in yaml.parse(" " * start + source.text[start:], Loader=loader):
            composer.take(event)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: "\U99999999"
        return Parsed(None, (*composer.faults, composer.syntax_fault(error)))
    except _TooMuchError:
        return Parsed(None, tuple(composer.faults))
    return Parsed(composer.root, tuple(composer.faults))


class _TooMuchError(Exception):
    """Reading on would take too long, or only repeat the fault."""


@dataclass(slots=True)
class _Open:
    """A mapping or a list that is still being read."""

    event: Any
    content: dict[str, Entry] | list[Node]
    first: int
    """How many values were read when it began."""
    partial: bool = False
    key: Span | None = None
    """Where the key stands whose value comes next."""
    name: str | None = None
    """Its text; None where the entry is refused."""
    height: int = 1


@dataclass(slots=True)
class _Anchor:
    node: Node | None = None
    """None while it is being read."""
    size: int = 1
    height: int = 0


@dataclass(slots=True)
class _Composer:
    """Nodes from events: the state of one parse."""

    source: Source
    at: KeyPath
    root: Node | None = None
    faults: list[Diagnostic] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, _Anchor] = field(default_factory=dict)
    count: int = 0
    documents: int = 0

    def take(self, event: Any) -> None:
        match event:
            case yaml.MappingStartEvent():
                self.open(event, {})
            case yaml.SequenceStartEvent():
                self.open(event, [])
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self.close(event)
            case yaml.ScalarEvent():
                self.scalar(event)
            case yaml.AliasEvent():
                self.alias(event)
            case yaml.DocumentStartEvent():
                self.begin_document(event)

    def syntax_fault(self, error: Exception) -> Diagnostic:
        return syntax_fault(self.source, error, path_text(self.path()))

    # Events

    def begin_document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            self.refuse(self.span(event), "a study is one document; a second one begins here")
            raise _TooMuchError

    def open(self, event: Any, content: dict[str, Entry] | list[Node]) -> None:
        self.bound(event, 1, 1)
        self.untagged(event)
        self.stack.append(_Open(event, content, first=self.count))
        if event.anchor:
            self.anchors[event.anchor] = _Anchor()

    def close(self, event: Any) -> None:
        done = self.stack.pop()
        span = Span(self.source, done.event.start_mark.index, event.end_mark.index)
        value = done.content if isinstance(done.content, dict) else tuple(done.content)
        node = Node(value, span, faulty=done.event.tag is not None, partial=done.partial)
        anchor = self.anchors.get(done.event.anchor)
        if anchor is not None and anchor.node is None:
            size = self.count - done.first + 1
            self.anchors[done.event.anchor] = _Anchor(node, size, done.height)
        self.place(node, done.height)

    def scalar(self, event: Any) -> None:
        self.bound(event, 1, 0)
        node = self.scalar_node(event)
        if event.anchor:
            self.anchors[event.anchor] = _Anchor(node)
        self.place(node, 0, plain=event.implicit[0])

    def scalar_node(self, event: Any) -> Node:
        span = self.span(event)
        if not self.untagged(event):
            return Node(None, span, faulty=True)
        if not event.implicit[0]:  # quoted, or a block: text
            return Node(event.value, span, faulty=self.unspeakable(event))
        try:
            return Node(resolve(event.value), span)
        except ValueError as error:
            self.refuse(span, str(error), code="number")
            return Node(None, span, faulty=True)

    def unspeakable(self, event: Any) -> bool:
        """Whether an escape wrote what neither a file's name nor UTF-8 can hold; then a fault."""
        found = [c for c in event.value if c == "\0" or "\ud800" <= c <= "\udfff"]
        if found:
            problem = f"text cannot hold the character U+{ord(found[0]):04X}"
            self.refuse(self.span(event), problem, code="character")
        return bool(found)

    def alias(self, event: Any) -> None:
        span, anchor = self.span(event), self.anchors.get(event.anchor)
        if anchor is None or anchor.node is None:
            problem = "names no anchor above it" if anchor is None else "contains itself"
            self.refuse(span, f"the alias *{event.anchor} {problem}", code="alias")
            self.place(Node(None, span, faulty=True), 0)
            return
        self.bound(event, anchor.size, anchor.height)
        target = anchor.node
        self.place(Node(target.value, span, target.faulty, target.partial), anchor.height)

    # A finished node takes its place

    def place(self, node: Node, height: int, *, plain: bool = False) -> None:
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        parent.height = max(parent.height, height + 1)
        if isinstance(parent.content, list):
            parent.content.append(node)
        elif parent.key is None:
            parent.key, parent.name = node.span, self.key(parent, node, plain=plain)
        else:
            if parent.name is not None:
                parent.content[parent.name] = Entry(parent.key, _shown(node, parent.key))
            parent.key = None

    def key(self, parent: _Open, node: Node, *, plain: bool) -> str | None:
        """The key's text; None, with a fault, where there can be no such key."""
        assert isinstance(parent.content, dict)
        if isinstance(node.value, str) and not (plain and node.value == "<<"):
            if node.value not in parent.content:
                return node.value
            self.duplicate(node, parent.content[node.value].key)
            return None
        parent.partial = True
        if node.value == "<<":
            problem = "'<<' (merge) is not in YAML 1.2; use 'extends', or write the keys out"
            self.refuse(node.span, problem, code="merge-key")
        elif not node.faulty:
            self.refuse(node.span, f"a key must be text{_quoted(node)}", code="key")
        return None

    # Bounds and faults

    def bound(self, event: Any, nodes: int, height: int) -> None:
        self.count += nodes
        if self.count > MAX_NODES:
            message = f"the study has more than {MAX_NODES} values (aliases count written out)"
            self.refuse(self.span(event), message, code="size")
            raise _TooMuchError
        if len(self.stack) + height > MAX_DEPTH:
            self.refuse(self.span(event), f"nested deeper than {MAX_DEPTH} levels", code="depth")
            raise _TooMuchError

    def untagged(self, event: Any) -> bool:
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            problem = f"the tag {tag} is not allowed; write the value, in quotes if it is text"
            self.refuse(self.span(event), problem, code="tag")
        return event.tag is None

    def duplicate(self, node: Node, first: Span) -> None:
        message = f"the key {node.value!r} is already there"
        self.refuse(node.span, message, Related(first.place, "first here"), code="duplicate-key")

    def refuse(self, span: Span, message: str, *related: Related, code: str = "syntax") -> None:
        path = path_text(self.path())
        self.faults.append(Diagnostic(span.place, path, message, code=code, related=related))

    def path(self) -> KeyPath:
        """Where reading stands."""
        path: list[str | int] = [*self.at]
        for frame in self.stack:
            if isinstance(frame.content, list):
                path.append(len(frame.content))
            elif frame.key is not None and frame.name is not None:
                path.append(frame.name)
        return tuple(path)

    def span(self, event: Any) -> Span:
        return Span(self.source, event.start_mark.index, event.end_mark.index)


def _quoted(node: Node) -> str:
    written = node.span.text
    short = not isinstance(node.value, dict | tuple) and 0 < len(written) < 40
    return f"; write {written!r} in quotes" if short else ""


def _shown(node: Node, key: Span) -> Node:
    """An empty value stands nowhere: it is shown at its key."""
    return node if node.span.end > node.span.start else Node(node.value, key)
