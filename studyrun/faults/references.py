"""The components that parameters name, with the path of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studyrun import params
from studyrun.params import COMPONENT_MARK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from studyrun.contracts import Kind
    from studyrun.reading.document import KeyPath

__all__ = ["references"]

Schema = dict[str, Any]


def references(
    cls: type, values: Mapping[str, Any]
) -> Iterator[tuple[KeyPath, Kind, str | dict[str, Any]]]:
    """(path, kind, reference in any form) of every component named in values of class `cls`."""
    own, parts = params.schema(cls)
    seen: set[KeyPath] = set()
    for path, kind, value in _walk(own, parts, values, ()):
        if path not in seen:  # two alternatives of a union may both reach it
            seen.add(path)
            yield path, kind, value


def _walk(
    node: Schema, parts: dict[str, Schema], value: Any, path: KeyPath
) -> Iterator[tuple[KeyPath, Kind, Any]]:
    node = parts.get(node.get("$ref", "").removeprefix("#/$defs/"), node)
    if COMPONENT_MARK in node:
        if isinstance(value, str | dict):
            yield path, node[COMPONENT_MARK], value
        return
    for branch in node.get("anyOf", ()):
        yield from _walk(branch, parts, value, path)
    for key, inner in _children(value):
        yield from _walk(_child_schema(node, key), parts, inner, (*path, key))


def _children(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)


def _child_schema(node: Schema, key: str | int) -> Schema:
    if isinstance(key, int):
        schema = node.get("items")
    else:
        schema = node.get("properties", {}).get(key, node.get("additionalProperties"))
    return schema if isinstance(schema, dict) else {}
