"""A fault by its path in the study, before it has a place, and how it gets one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from studyrun.diagnostics import Diagnostic
from studyrun.reading.document import Entry, KeyPath, Node, path_text
from studyrun.reading.places import piece_of

if TYPE_CHECKING:
    from studyrun.source import Span

__all__ = ["ABSENT", "Finding", "located"]

ABSENT = "absent"
"""The code of what is no fault of the study: what it names is not on this machine (yet)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at a path."""

    path: KeyPath
    message: str
    code: str = "value"
    key: str | None = None
    """The fault is this key of the mapping at `path`, not the mapping."""
    allowed: tuple[str, ...] = ()
    suggestion: str = ""
    within: str = ""
    """The piece of the text at `path` that is meant, where it can be found in it."""
    at: int | None = None
    """Where in that text the piece begins; None: at its first place."""


def located(finding: Finding, root: Node) -> Diagnostic | None:
    """The finding where it stands; None where a fault reported before explains it."""
    entries = list(root.along(finding.path))
    node = entries[-1].node if entries else root
    if root.faulty or any(entry.node.faulty for entry in entries):
        return None
    if finding.code == "missing-key" and node.partial:
        return None
    span = _span(finding, entries, root)
    return Diagnostic(
        span.place,
        path_text(finding.path),
        finding.message,
        code=finding.code,
        allowed=finding.allowed,
        suggestion=finding.suggestion,
        severity="warning" if finding.code == ABSENT else "error",
    )


def _span(finding: Finding, entries: list[Entry], root: Node) -> Span:
    node = entries[-1].node if entries else root
    if len(entries) == len(finding.path):
        if finding.key is not None and finding.key in node.entries:
            return node.entries[finding.key].key
        if entries and finding.code != "missing-key" and not _is_block(node):
            return _piece(node, finding)
    return entries[-1].key if entries else root.span


def _is_block(node: Node) -> bool:
    """A mapping or list over several lines, which is best shown by its key."""
    return isinstance(node.value, dict | tuple) and "\n" in node.span.text


def _piece(node: Node, finding: Finding) -> Span:
    span, piece = node.span, finding.within
    if finding.at is not None and isinstance(node.value, str):
        return piece_of(span, node.value, finding.at, finding.at + len(piece))
    at = span.text.find(piece) if piece else -1
    start = span.start + at
    return span if at < 0 else replace(span, start=start, end=start + len(piece))
