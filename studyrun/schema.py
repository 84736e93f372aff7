"""One JSON Schema for studies, composed from the core's keys and every component's parameters.

It means the same in draft-07 and in 2020-12: no siblings of `$ref`, no `items` lists, nothing
that only one of them knows. Which parameters are meant is decided by `if`/`then` on `use`, so a
fault is found where it is and not as "matches none of 30 alternatives".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from studyrun.reading import keywords
from studyrun.reading.fields import Parameters
from studyrun.reading.keywords import KIND_MARK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from studyrun.contracts import Component, Kind
    from studyrun.registry import Registry

__all__ = ["compose", "published_schema"]

Schema = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"


def published_schema(registry: Registry) -> str:
    """The schema with the docs of every parameter, as `studyrun schema` prints it."""
    schema = _without_marks(compose(registry, documented=True))
    return json.dumps({"$schema": DIALECT, **schema}, indent=2, ensure_ascii=False) + "\n"


def compose(registry: Registry, *, documented: bool = False) -> Schema:
    """The schema of a study that may use every component of the registry.

    `documented` reads the components' source for the strings under their fields, which is slow.
    """
    definitions: dict[str, Schema] = {}
    named: list[Kind] = []
    kinds: list[Kind] = ["model", "data", "step"]
    for kind in kinds:  # grows with every kind that a parameter names
        components = _usable(registry, kind)
        for component in components:
            parameters = Parameters(component, documented=documented)
            definitions |= parameters.definitions
            named += [other for other in parameters.kinds if other not in named]
            kinds += [other for other in named if other not in kinds]
        definitions[f"use.{kind}"] = _use(kind, components)
    for kind in named:
        components = _usable(registry, kind)
        definitions |= {f"named.{kind}": _named(kind, components)}
        definitions |= {f"one.{kind}": _one(kind, components)}
    return {**keywords.study(), "$defs": {**definitions, **keywords.sections()}}


def _usable(registry: Registry, kind: Kind) -> tuple[Component, ...]:
    """The components that a study may name; the verdicts' step is nobody's to use."""
    reserved = keywords.RESERVED_STEPS if kind == "step" else ()
    return tuple(each for each in registry.components(kind) if each.name not in reserved)


def _use(kind: Kind, components: Sequence[Component]) -> Schema:
    """`{use, with}`, with the parameters of the component that `use` names."""
    names = [component.name for component in components]
    dispatched = [_dispatch(component) for component in components]
    listed = "\n".join(f"- {c.name}: {c.summary}" for c in components if c.summary)
    return {
        "type": "object",
        "required": ["use"],
        "properties": {
            "use": {"description": f"The {kind}:\n{listed}", "enum": names, KIND_MARK: kind},
            "with": {"description": "Its parameters.", "type": "object"},
            **(keywords.NEEDS if kind == "step" else {}),
        },
        "additionalProperties": False,
        **({"allOf": dispatched} if dispatched else {}),  # of a kind that nobody offers: none
        KIND_MARK: kind,
    }


def _dispatch(component: Component) -> Schema:
    name = f"{component.kind}.{component.name}"
    then: Schema = {"properties": {"with": {"$ref": f"#/$defs/{name}"}}, KIND_MARK: component.kind}
    if Parameters(component).required:
        then["required"] = ["with"]
    chosen = {"properties": {"use": {"const": component.name}}, "required": ["use"]}
    return {"if": chosen, "then": then}


def _named(kind: Kind, components: Sequence[Component]) -> Schema:
    """A parameter that names a component: `name`, `{name: parameters}` or `{use, with}`.

    A mapping is of the short form if it has neither of the keys of the long one, and either one
    key or the name of a component among its keys.
    """
    alone = [component.name for component in components if not Parameters(component).required]
    known: list[Schema] = [{"required": [component.name]} for component in components]
    short: Schema = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"not": {"enum": ["use", "with"]}},
        "anyOf": [{"maxProperties": 1}, *known],
    }
    long: Schema = {"$ref": f"#/$defs/use.{kind}"}
    return {
        "type": ["string", "object"],
        "if": {"type": "string"},
        "then": {"enum": alone, KIND_MARK: kind},
        "else": {"if": short, "then": {"$ref": f"#/$defs/one.{kind}"}, "else": long},
        KIND_MARK: kind,
    }


def _one(kind: Kind, components: Sequence[Component]) -> Schema:
    """`{name: parameters}`."""
    return {
        "type": "object",
        "properties": {
            each.name: {
                "description": each.summary or "Its parameters.",
                "allOf": [{"$ref": f"#/$defs/{kind}.{each.name}"}],
            }
            for each in components
        },
        "additionalProperties": False,
        "maxProperties": 1,
        KIND_MARK: kind,
    }


def _without_marks(schema: Any) -> Any:
    """The schema without keywords of studyrun's own, which strict validators refuse."""
    if isinstance(schema, dict):
        own = (key for key in schema if not key.startswith("x-studyrun-"))
        return {key: _without_marks(schema[key]) for key in own}
    if isinstance(schema, list):
        return [_without_marks(item) for item in schema]
    return schema
