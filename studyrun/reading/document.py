"""A document as nodes: plain values that know where they are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from studyrun.reading.scalars import Scalar
    from studyrun.source import Span

__all__ = ["Entry", "KeyPath", "Node", "path_text"]

KeyPath = tuple[str | int, ...]
"""Keys and list indices from the root of a study to a value."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A value and where it is written."""

    value: Scalar | Mapping[str, Entry] | tuple[Node, ...]
    span: Span
    faulty: bool = False
    """What is written has no value; its fault was reported, so nothing else is said of it."""
    partial: bool = False
    """A mapping of which an entry was refused, so that a missing key is no news."""

    def plain(self) -> Any:
        """The value as dictionaries, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: entry.node.plain() for key, entry in self.value.items()}
        if isinstance(self.value, tuple):
            return [item.plain() for item in self.value]
        return self.value

    @property
    def entries(self) -> Mapping[str, Entry]:
        """The entries of a mapping; none of anything else."""
        return self.value if isinstance(self.value, dict) else {}

    def get(self, key: str) -> Node | None:
        """The value of a key, or None."""
        entry = self.entries.get(key)
        return entry and entry.node

    def along(self, path: KeyPath) -> Iterator[Entry]:
        """The entries on the way to `path`, as far as they exist."""
        node = self
        for step in path:
            if isinstance(step, str) and step in node.entries:
                entry = node.entries[step]
            elif isinstance(node.value, tuple) and step in range(len(node.value)):
                item = node.value[int(step)]
                entry = Entry(item.span, item)
            else:
                return
            yield entry
            node = entry.node


class Entry(NamedTuple):
    """One key of a mapping and its value."""

    key: Span
    node: Node


def path_text(path: KeyPath) -> str:
    """`$.steps.sae.with.layers[0]`."""
    return "$" + "".join(map(_segment, path))


def _segment(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if re.fullmatch(r"[\w-]+", step) else f"[{step!r}]"
