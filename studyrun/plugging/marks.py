"""Values inside parameters that mean more than themselves: paths, and names of components.

A parameter's schema carries the mark (`x-studyrun-path`, `x-studyrun-component`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studyrun import params
from studyrun.params import COMPONENT_MARK, PATH_MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["DROP", "rewrite"]

DROP = object()
"""What a change returns to leave the value out."""

Schema = dict[str, Any]
_JSON_TYPES = {str: "string", type(None): "null", dict: "object", list: "array"}


def rewrite(cls: type, values: Mapping[str, Any], change: Callable[[Schema, Any], Any]) -> Any:
    """A copy of `values`, plain JSON of class `cls`, with every marked value changed.

    `change` is given the marked schema and the value, and returns the new one or `DROP`.
    """
    own, parts = params.schema(cls)
    return _Rewriter(parts, change).value(own, dict(values))


class _Rewriter:
    def __init__(self, parts: dict[str, Schema], change: Callable[[Schema, Any], Any]) -> None:
        self._parts, self._change = parts, change

    def value(self, node: Schema, value: Any) -> Any:
        if "$ref" in node:
            node = self._parts.get(node["$ref"].removeprefix("#/$defs/"), {})
        if (PATH_MARK in node and isinstance(value, str)) or (
            COMPONENT_MARK in node and isinstance(value, str | dict)
        ):
            return self._change(node, value)
        for branch in node.get("anyOf", ()):
            if _fits(branch, value):
                value = self.value(branch, value)
        if isinstance(value, dict):
            return self._dict(node, value)
        if isinstance(value, list | tuple):
            items = [self.value(node.get("items") or {}, item) for item in value]
            return [item for item in items if item is not DROP]
        return value

    def _dict(self, node: Schema, value: dict[str, Any]) -> dict[str, Any]:
        known, other = node.get("properties", {}), node.get("additionalProperties")
        other = other if isinstance(other, dict) else {}
        new = {key: self.value(known.get(key, other), item) for key, item in value.items()}
        return {key: item for key, item in new.items() if item is not DROP}


def _fits(branch: Schema, value: Any) -> bool:
    """Whether a branch of a union may speak of this value."""
    kind = _JSON_TYPES.get(type(value))
    return kind is not None and branch.get("type", kind) == kind
