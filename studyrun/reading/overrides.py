"""What is laid over a study: the file that extends it, `--set`, a cell of its matrix.

One rule for all three: mappings merge, everything else replaces, and `null` removes what is there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from studyrun.diagnostics import Diagnostic
from studyrun.faults.suggest import nearest
from studyrun.reading.document import Entry, Node, path_text
from studyrun.reading.parser import parse
from studyrun.source import Source, Span, escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Assignment", "assign", "dotted", "merge", "parse_setting", "setting"]

MOST_SEGMENTS = 16


@dataclass(frozen=True, slots=True)
class Assignment:
    """A value and the dotted path that it is written to."""

    path: tuple[str, ...]
    keys: tuple[Span, ...]
    """Where each part of the path is written."""
    value: Node


def setting(path: str, value: Any) -> str:
    """The `--set` argument that writes a plain value.

    Raises:
        ValueError: the value is no JSON (NaN, a tensor, ...).
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except TypeError as error:
        raise ValueError(f"{path}: {error}") from error
    return f"{path}={escaped(text)}"


def merge(base: Node, over: Node) -> Node:
    """`over` laid over `base`; what stays the same keeps its place."""
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    entries = dict(base.value)
    for key, entry in over.value.items():
        old = entries.get(key)
        if old is None:
            entries[key] = entry
        elif entry.node.value is None and not entry.node.faulty:
            del entries[key]
        else:
            merged = merge(old.node, entry.node)
            entries[key] = Entry(entry.key if merged is entry.node else old.key, merged)
    return Node(entries, base.span, base.faulty or over.faulty, base.partial or over.partial)


def parse_setting(argument: str) -> tuple[Assignment | None, tuple[Diagnostic, ...]]:
    """`steps.sae.with.k=64` as an assignment; faults point into the argument."""
    source = Source("--set", argument)
    text, equals, _ = argument.partition("=")
    if not equals:
        end = Span(source, len(argument), len(argument) + 1)
        return None, (_fault(end, "no '=' here; write path=value, as in steps.sae.with.k=64"),)
    path, keys, fault = dotted(text, Span(source, 0, len(text)))
    parsed = parse(source, len(text) + 1, path)
    if fault or parsed.faults:
        return None, (*filter(None, [fault]), *parsed.faults)
    nothing = Node(None, Span(source, len(text), len(argument)))
    return Assignment(path, keys, parsed.root or nothing), ()


def dotted(text: str, span: Span) -> tuple[tuple[str, ...], tuple[Span, ...], Diagnostic | None]:
    """The parts of a dotted path that is written at `span`, where each stands, or what is wrong."""
    path = tuple(text.split("."))
    if not all(part.strip() for part in path):
        return (), (), _fault(span, f"{text!r} is no path; write it as in steps.sae.with.k")
    keys = _parts(path, text, span)
    if len(path) > MOST_SEGMENTS:
        return (), (), _fault(keys[MOST_SEGMENTS], f"a path has at most {MOST_SEGMENTS} parts")
    return path, keys, None


def _parts(path: tuple[str, ...], text: str, span: Span) -> tuple[Span, ...]:
    offset = span.text.find(text)
    if offset < 0:  # written with escapes: only the whole has a place
        return (span,) * len(path)
    starts = accumulate(path, lambda at, part: at + len(part) + 1, initial=span.start + offset)
    return tuple(
        Span(span.source, start, start + len(part))
        for start, part in zip(starts, path, strict=False)
    )


def assign(root: Node, assignment: Assignment) -> tuple[Node, Diagnostic | None]:
    """The study with the value laid over it; a fault if a part of the path must exist and not."""
    fault = _not_settable(assignment) or _unknown_name(root, assignment)
    return (root, fault) if fault else (merge(root, _nested(assignment)), None)


def _not_settable(assignment: Assignment) -> Diagnostic | None:
    if assignment.path[0] != "extends":
        return None
    return _fault(assignment.keys[0], "'extends' can only be written in a file")


def _nested(assignment: Assignment) -> Node:
    node = assignment.value
    pairs = zip(reversed(assignment.path), reversed(assignment.keys), strict=True)
    for name, key in pairs:
        node = Node({name: Entry(key, node)}, key)
    return node


def _unknown_name(root: Node, assignment: Assignment) -> Diagnostic | None:
    """A step or hypothesis is not made by writing one of its values (a step is, by its `use`)."""
    path = assignment.path
    if len(path) < 3 or path[0] not in ("steps", "hypotheses") or path[2] == "use":
        return None
    section = root.get(path[0])
    known = tuple(section.entries) if section else ()
    if path[1] in known:
        return None
    message = f"there is no {path[1]!r} in {path[0]}"
    return _fault(assignment.keys[1], message, known, path[:1])


def _fault(
    span: Span, message: str, allowed: Sequence[str] = (), path: tuple[str, ...] = ()
) -> Diagnostic:
    near = nearest(span.text, allowed) if allowed else ()
    return Diagnostic(
        span.place,
        path_text(path),
        message,
        code="setting",
        allowed=tuple(allowed),
        suggestion=near[0] if near else "",
    )
