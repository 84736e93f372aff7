"""The JSON Schema of a component's parameters, made fit to stand beside all others."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from studyrun import params
from studyrun.params import COMPONENT_MARK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from studyrun.contracts import Component, Kind

__all__ = ["Parameters"]

Schema = dict[str, Any]


class Parameters:
    """The schema of one component's parameters, under names that no other component has."""

    def __init__(self, component: Component, *, documented: bool = False) -> None:
        self.name = f"{component.kind}.{component.name}"
        self.kinds: list[Kind] = []
        """The kinds of component that the parameters name."""
        self._cls = component.params
        self._documented = documented

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The parameters without a default."""
        missing = dataclasses.MISSING
        return tuple(
            field.name
            for field in dataclasses.fields(self._cls)
            if field.default is missing and field.default_factory is missing
        )

    @cached_property
    def definitions(self) -> dict[str, Schema]:
        """The parameters, and the records inside them, by the name of their definition."""
        own, parts = params.schema(self._cls)
        classes = dict(_records(self._cls)) if self._documented else {}
        found = {self.name: self._part(own, classes.get(self._cls.__name__))}
        for name, part in parts.items():
            found[f"{self.name}.{name}"] = self._part(part, classes.get(name))
        return found

    def _part(self, part: Schema, cls: type | None) -> Schema:
        schema: Schema = self._rewritten(part)
        schema.pop("title", None)  # the name of a class says nothing to who writes a study
        fields = schema.get("properties", {})
        docs: Mapping[str, str] = params.field_docs(cls) if cls else {}
        for name in fields.keys() & docs.keys():
            fields[name] = _beside(fields[name], {"description": docs[name]})
        return schema

    def _rewritten(self, schema: Any) -> Any:
        if isinstance(schema, list):
            return [self._rewritten(item) for item in schema]
        if not isinstance(schema, dict):
            return schema
        if COMPONENT_MARK in schema:
            return self._reference(schema)
        if "prefixItems" in schema:
            schema = _as_list(schema)
        new = {key: self._keyword(key, value) for key, value in schema.items()}
        if "$ref" in new:
            part = new.pop("$ref").removeprefix("#/$defs/")
            return _beside({"$ref": f"#/$defs/{self.name}.{part}"}, new)
        return new

    def _keyword(self, keyword: str, value: Any) -> Any:
        if keyword in ("default", "examples", "enum"):  # values, not schemas
            return value
        if keyword == "properties":
            return {name: self._rewritten(field) for name, field in value.items()}
        return self._rewritten(value)

    def _reference(self, schema: Schema) -> Schema:
        kind = schema[COMPONENT_MARK]
        self.kinds += [kind] if kind not in self.kinds else []
        rest: Schema = {key: schema[key] for key in ("default", "description") if key in schema}
        return _beside({"$ref": f"#/$defs/named.{kind}"}, rest)


def _beside(schema: Schema, more: Schema) -> Schema:
    """Both together; draft-07 ignores what stands beside a reference, so that is one level down."""
    if "$ref" in schema and more:
        return {"allOf": [schema], **more}
    return {**schema, **more}


def _as_list(schema: Schema) -> Schema:
    """A tuple of a fixed length, which the two dialects write differently, as a list.

    Looser: which item is of which type is found when the parameters are given their types.
    """
    items = schema["prefixItems"]
    rest = {key: value for key, value in schema.items() if key != "prefixItems"}
    return {**rest, "items": {"anyOf": items} if len(items) > 1 else items[0]}


def _records(cls: Any) -> Iterator[tuple[str, type]]:
    """The dataclasses that a dataclass is made of, itself first."""
    if not dataclasses.is_dataclass(cls):
        return
    assert isinstance(cls, type)
    yield cls.__name__, cls
    for hint in get_type_hints(cls).values():
        for inner in _inside(hint):
            yield from _records(inner)


def _inside(hint: Any) -> Iterator[Any]:
    yield hint
    for argument in get_args(hint):
        yield from _inside(argument)
