"""What a component is and takes: its parameters with type, default, limits and doc; an example.

Everything comes from the parameter class, so that nothing here can be out of date.
"""

from __future__ import annotations

import dataclasses
import typing
from typing import TYPE_CHECKING, Any

from studyrun import params
from studyrun.errors import StudyError
from studyrun.params import COMPONENT_MARK, PATH_MARK
from studyrun.running.tables import public_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from studyrun.columns import Table
    from studyrun.contracts import Component
    from studyrun.registry import Registry

__all__ = ["REQUIRED", "Parameter", "column_list", "example", "parameters", "tables"]

REQUIRED = "required"
SHOWN = 3
"""Optional parameters that an example shows besides the required ones, at most."""

Schema = dict[str, Any]
_LIMITS = {
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "exclusiveMaximum": "< {}",
    "pattern": "matches {}",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
}
_PLACEHOLDERS = {"integer": 1, "number": 1.0, "string": "text", "boolean": True, "null": None}


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as a reader needs it."""

    name: str
    """With the names of the objects it lies in: `features.top`."""
    type: str
    default: Any
    """A plain JSON value; meaningless where `required`."""
    required: bool
    limits: str
    doc: str


def parameters(cls: type) -> tuple[Parameter, ...]:
    """Every parameter of a class in its order, those of nested objects after their object."""
    own, parts = params.schema(cls)
    return tuple(_parameters(cls, own, parts, ""))


def example(registry: Registry, component: Component) -> str:
    """YAML that uses the component, to be pasted into a study; empty if a study never names it.

    An intervention is named as the step that every intervention is.
    """
    import yaml  # 30 ms, and only to show an example

    used: dict[str, Any] = {"use": component.name}
    if given := _example_params(component.params):
        used["with"] = given
    placed = _placed(registry, component, used)
    if placed is None:
        return ""
    text: str = yaml.safe_dump(placed, sort_keys=False, default_flow_style=None, width=88)
    return text


def tables(registry: Registry, component: Component) -> dict[str, Table]:
    """The tables that it stores with the parameters of its example, as SQL names them.

    Only those whose columns it tells; `<step>` stands for the name of the step.
    """
    ref = {"use": component.name, "with": _example_params(component.params)}
    step = "data" if component.kind == "data" else "<step>"
    try:
        told = registry.tables(registry.bind(component.kind, ref))
    except StudyError:
        return {}  # said where it is used; a description is a courtesy
    return {public_name(step, name): table for name, table in told.items()}


def column_list(table: Table, form: str) -> str:
    """Its columns in a line, each written as `form` says; `...` at the end if there may be more."""
    return ", ".join([*map(form.format, table.columns), *(["..."] if table.open else [])])


def _parameters(
    cls: type, own: Schema, parts: dict[str, Schema], prefix: str
) -> Iterator[Parameter]:
    docs, defaults = params.field_docs(cls), params.defaults(cls)
    hints = typing.get_type_hints(cls)
    for name, node in own["properties"].items():
        doc, required = docs.get(name, ""), name in own.get("required", ())
        limits = _limits(node)
        yield Parameter(
            prefix + name, _type(node, parts), defaults.get(name), required, limits, doc
        )
        for nested, schema in _objects(hints[name], node, parts):
            yield from _parameters(nested, schema, parts, f"{prefix}{name}.")


def _objects(hint: Any, node: Schema, parts: dict[str, Schema]) -> Iterator[tuple[type, Schema]]:
    """The parameter classes in an annotation, each with its schema."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        yield hint, parts[hint.__name__]
    for inner in typing.get_args(hint):
        yield from _objects(inner, node, parts)


def _type(node: Schema, parts: dict[str, Schema]) -> str:
    if COMPONENT_MARK in node:
        return f"{node[COMPONENT_MARK]} (a name, or {{name: {{...}}}})"
    if PATH_MARK in node:
        return "path"
    if "enum" in node:
        return " | ".join(map(str, node["enum"]))
    if "anyOf" in node:
        return " | ".join(_type(branch, parts) for branch in node["anyOf"])
    if "$ref" in node:
        return _type(parts[node["$ref"].removeprefix("#/$defs/")], parts)
    if "items" in node:
        return f"list of {_type(node['items'] or {}, parts)}"
    if isinstance(node.get("additionalProperties"), dict):
        return f"map of names to {_type(node['additionalProperties'], parts)}"
    return str(node.get("type", "anything"))


def _limits(node: Schema) -> str:
    """The bounds of a value, or of the values in a list or a union."""
    found = [text.format(node[key]) for key, text in _LIMITS.items() if key in node]
    inner = [*node.get("anyOf", ()), *([node["items"]] if node.get("items") else [])]
    return ", ".join([*found, *filter(None, map(_limits, inner))])


def _example_params(cls: type) -> dict[str, Any]:
    own, parts = params.schema(cls)
    defaults, required = params.defaults(cls), own.get("required", ())
    shown = {
        name: _example_value(node, parts) if name in required else defaults[name]
        for name, node in own["properties"].items()
        if name in required or defaults[name] not in (None, [], {})
    }
    optional = [name for name in shown if name not in required]
    for name in optional[SHOWN:]:
        del shown[name]
    return shown


def _required(cls: type) -> dict[str, Any]:
    """Values of the parameters that must be given."""
    own, parts = params.schema(cls)
    names = own.get("required", ())
    return {name: _example_value(own["properties"][name], parts) for name in names}


def _example_value(node: Schema, parts: dict[str, Schema]) -> Any:
    """A value that the schema accepts, as telling as it allows."""
    if "$ref" in node:
        node = parts[node["$ref"].removeprefix("#/$defs/")]
    if PATH_MARK in node:
        return "path/to/file"
    for key in ("examples", "enum", "anyOf"):
        if key in node:
            first = node[key][0]
            return _example_value(first, parts) if key == "anyOf" else first
    if "properties" in node:
        needed = node.get("required", ())
        return {name: _example_value(node["properties"][name], parts) for name in needed}
    if node.get("type") == "array":
        return [_example_value(node.get("items") or {}, parts)] * node.get("minItems", 1)
    if "minimum" in node or "exclusiveMinimum" in node:
        return node.get("minimum", node.get("exclusiveMinimum", 0) + 1)
    return _PLACEHOLDERS.get(str(node.get("type")), {})


def _placed(registry: Registry, component: Component, used: dict[str, Any]) -> Any:
    """The place in a study where a component of that kind is named."""
    if component.kind in ("model", "data"):
        return {component.kind: used}
    if component.kind == "step":
        return {"steps": {component.makes: used}}
    for step in registry.components("step"):
        own, _ = params.schema(step.params)
        for name, node in own["properties"].items():
            value = _referring(node, component.kind, used)
            if value is not None:
                given = {**_required(step.params), name: value}
                return {"steps": {step.makes: {"use": step.name, "with": given}}}
    return None


def _referring(node: Schema, kind: str, used: dict[str, Any]) -> Any:
    """A value of the parameter that refers to the component, or None if it never could."""
    ref = {used["use"]: used["with"]} if "with" in used else used["use"]
    if node.get(COMPONENT_MARK) == kind:
        return ref
    if (node.get("items") or {}).get(COMPONENT_MARK) == kind:
        return [ref]
    return None
