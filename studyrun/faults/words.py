"""Values and types as a study's author calls them, not as JSON or Python do."""

from __future__ import annotations

import json
from typing import Any

from studyrun.reading.keywords import KIND_MARK

__all__ = ["article", "cut", "described", "expected"]

LONGEST = 40
"""Characters of a value that are quoted."""
TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


def described(value: Any, written: str = "") -> str:
    """`the number 1e-4`, `text 'abc'`, `a list`; `written` is how the study spells it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return json.dumps(value)
        case int() | float():
            return f"the number {cut(written) or value}"
        case str():
            return f"text {cut(value)!r}" if value else "empty text"
        case dict():
            return "a mapping"
        case _:
            return "a list"


def cut(text: str) -> str:
    """The text, shortened to what a message can hold."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def expected(schema: dict[str, Any]) -> str:
    """What a schema asks for, in a few words."""
    if "anyOf" in schema:
        branches = sorted(schema["anyOf"], key=lambda branch: "enum" not in branch)
        words = dict.fromkeys(map(expected, branches))
        return " or ".join(word for word in words if word != TYPES["null"])
    if "enum" in schema:
        return " or ".join(str(value) for value in schema["enum"])
    if "$ref" in schema:
        kind = schema["$ref"].partition("/named.")[2]
        return _named(kind) if kind else "a mapping"
    if "allOf" in schema and "type" not in schema:
        return expected(schema["allOf"][0])
    return _typed(schema)


def _typed(schema: dict[str, Any]) -> str:
    kind, types = schema.get(KIND_MARK), schema.get("type", [])
    if kind is not None:
        return "{use: ..., with: ...}" if types == "object" else _named(kind)
    names = [TYPES[name] for name in ([types] if isinstance(types, str) else types)]
    if names == [TYPES["array"]] and schema.get("items"):
        return f"a list of {_several(expected(schema['items']))}"
    return " or ".join(names) or "another value"


def _named(kind: str) -> str:
    return f"the name of {article(kind)}, or {{name: {{...}}}}"


def article(noun: str) -> str:
    """`a step`, `an effect`."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _several(words: str) -> str:
    if words == TYPES["string"]:
        return "texts"
    if words.startswith("a list"):
        return words.replace("a list", "lists", 1)
    return f"{words.removeprefix('a ')}s" if words in TYPES.values() else words
