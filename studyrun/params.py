"""Parameters: frozen dataclasses from which schema, defaults, docs and typed values all come.

msgspec does the work (0.03 s to import; the measurement stands in docs/architecture.md).
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import textwrap
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

__all__ = [
    "COMPONENT_MARK",
    "PATH_MARK",
    "ClassifierRef",
    "ConceptRef",
    "DataRef",
    "EffectRef",
    "FilePath",
    "Fraction",
    "NoParams",
    "NonNegativeInt",
    "PositiveFloat",
    "PositiveInt",
    "RankRange",
    "Ref",
    "SaeFormatRef",
    "SectionRef",
    "defaults",
    "field_docs",
    "parse",
    "schema",
    "short_name",
    "split_ref",
    "to_builtins",
]

COMPONENT_MARK = "x-studyrun-component"
"""Schema keyword: this value is a reference to a component of that kind (see `split_ref`)."""
PATH_MARK = "x-studyrun-path"
"""Schema keyword: this value is a path, relative to the study's folder; never part of a key."""

Ref = str | dict[str, Any]
PositiveInt = Annotated[int, Meta(ge=1)]
NonNegativeInt = Annotated[int, Meta(ge=0)]
PositiveFloat = Annotated[float, Meta(gt=0)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
RankRange = Annotated[str, Meta(pattern=r"^[1-9][0-9]*-[1-9][0-9]*$", examples=["50-200"])]
FilePath = Annotated[str, Meta(min_length=1, extra_json_schema={PATH_MARK: True})]
ClassifierRef = Annotated[Ref, Meta(extra_json_schema={COMPONENT_MARK: "classifier"})]
ConceptRef = Annotated[Ref, Meta(extra_json_schema={COMPONENT_MARK: "concept"})]
DataRef = Annotated[Ref, Meta(extra_json_schema={COMPONENT_MARK: "data"})]
EffectRef = Annotated[Ref, Meta(extra_json_schema={COMPONENT_MARK: "effect"})]
SaeFormatRef = Annotated[Ref, Meta(extra_json_schema={COMPONENT_MARK: "sae-format"})]
SectionRef = Annotated[Ref, Meta(extra_json_schema={COMPONENT_MARK: "section"})]


@dataclasses.dataclass(frozen=True)
class NoParams:
    """For a component without parameters."""


def split_ref(ref: Ref | Mapping[str, Any]) -> tuple[str, Any]:
    """The component that a reference names, and what it gives as parameters.

    The same reference in its three forms: `"values"`, `{use: values, with: {}}`, `{values: {}}`.
    """
    if isinstance(ref, str):
        return ref, {}
    name = short_name(ref)
    given = ref.get("with" if name is None else name)
    if name is None:  # one without `use` names nothing that exists
        name = str(ref.get("use", " and ".join(ref)))
    return name, {} if given is None else given


def short_name(ref: Any) -> str | None:
    """The only key of a reference in the short form `{name: parameters}`; None in any other."""
    if not isinstance(ref, Mapping) or len(ref) != 1:
        return None
    (name,) = ref
    return None if name in ("use", "with") else str(name)


def parse(params: type, raw: Mapping[str, Any]) -> Any:
    """The typed parameters of an already validated mapping.

    Raises:
        msgspec.ValidationError: the mapping does not fit (validation reports this earlier).
    """
    return msgspec.convert(dict(raw), type=params)


def to_builtins(params: Any) -> dict[str, Any]:
    """All parameters, defaults included, as plain JSON values.

    One that came after results were stored, `field(default=..., metadata={"later": True})`, is
    left out at its default, where it changes nothing: the keys of those results stay.
    """
    values: dict[str, Any] = msgspec.to_builtins(_plain(params))
    return values


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        given = ((field, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {
            field.name: _plain(own)
            for field, own in given
            if not (field.metadata.get("later") and own == field.default)
        }
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def defaults(params: type) -> dict[str, Any]:
    """The defaults of the optional parameters, as plain JSON values."""
    values = {}
    for field in dataclasses.fields(params):
        if field.default is not dataclasses.MISSING:
            values[field.name] = msgspec.to_builtins(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            values[field.name] = msgspec.to_builtins(field.default_factory())
    return values


@functools.cache
def schema(params: type) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON Schema of a parameter class, closed (no unknown keys), and its named parts.

    Made once for each class and shared, so it must not be changed.
    """
    (root,), parts = msgspec.json.schema_components([params], ref_template="#/$defs/{name}")
    name = root["$ref"].removeprefix("#/$defs/")
    own = parts.pop(name)
    for part in (own, *parts.values()):
        if part.get("type") == "object":
            part.setdefault("additionalProperties", False)
    return own, parts


def field_docs(params: type) -> dict[str, str]:
    """The string under every field, by field name; base classes first."""
    docs: dict[str, str] = {}
    for cls in reversed(params.__mro__):
        if dataclasses.is_dataclass(cls):
            docs.update(_own_field_docs(cls))
    return docs


def _own_field_docs(cls: type) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):  # made at run time: its bases hold the strings
        return {}
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    docs[field.target.id] = " ".join(text.split())
    return docs
