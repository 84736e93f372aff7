"""Where a document does not conform to a schema: jsonschema's findings as plain records."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from studyrun.reading.document import KeyPath

__all__ = ["Conformance", "Mismatch"]

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Mismatch:
    """One keyword of a schema that a value does not satisfy."""

    keyword: str
    """`type`, `minimum`, ..."""
    limit: Any
    """What the schema says for it."""
    value: Any
    schema: Schema
    """The schema that holds the keyword."""
    path: KeyPath
    """Of the value, or of the mapping whose key is the fault."""
    key: str | None = None
    """The key, where a name is at fault and not its value."""
    here: bool = True
    """Inside an alternative: the value itself is at fault, not something in it."""
    branches: tuple[tuple[Mismatch, ...], ...] = ()
    """Of `anyOf`: what every alternative has against the value."""


class Conformance:
    """A schema to hold values against."""

    def __init__(self, schema: Schema) -> None:
        self._validator = _Validator(schema)

    def mismatches(self, value: Any, path: KeyPath = ()) -> list[Mismatch]:
        """Every mismatch of a plain value that stands at `path`, in no order."""
        return [_mismatch(error, path) for error in self._validator.iter_errors(value)]


def _mismatch(error: Any, path: KeyPath) -> Mismatch:
    of_name = list(error.absolute_schema_path)[-2:-1] == ["propertyNames"]
    grouped = groupby(error.context, key=lambda inner: inner.relative_schema_path[0])
    return Mismatch(
        keyword=error.validator,
        limit=error.validator_value,
        value=error.instance,
        schema=error.schema,
        path=(*path, *error.absolute_path),
        key=error.instance if of_name else None,
        here=not error.relative_path,
        branches=tuple(tuple(_mismatch(e, path) for e in group) for _, group in grouped),
    )


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:  # noqa: ARG001  # jsonschema's signature
    """`$` is the end, as in ECMAScript; in Python it is also before a last line end."""
    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield ValidationError("does not match")


_Validator: Any = validators.extend(  # type: ignore[no-untyped-call]  # jsonschema has no types here
    Draft202012Validator,
    {"pattern": _pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        # 16.0 is an integer to JSON Schema, but not to a parameter that counts something
        "integer",
        lambda _, value: isinstance(value, int) and not isinstance(value, bool),
    ),
)
