"""`report.json`: the record as JSON, a line for each block, row and feature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from studyrun_report.blocks import Block, Facts, Section

__all__ = ["written"]

ROWS = ("rows", "pages", "problems", "verdicts")
"""Fields of blocks whose values get a line each."""


def written(facts: Facts) -> bytes:
    """The record; equal records give equal bytes, and its last field is the line ` "run": ...`."""
    fields = []
    for name in facts.__struct_fields__:
        value = getattr(facts, name)
        text = _sections(value) if name == "sections" else _json(value)
        fields.append(b' "%b": %b' % (name.encode(), text))
    return b"{\n%b\n}\n" % b",\n".join(fields)


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _sections(sections: tuple[Section, ...]) -> bytes:
    return b"[\n%b\n ]" % b",\n".join(map(_section, sections))


def _section(section: Section) -> bytes:
    head = _json({name: getattr(section, name) for name in ("id", "title", "lead")})
    blocks = b",\n".join(map(_block, section.blocks))
    return b'  {%b, "blocks": [\n%b\n  ]}' % (head[1:-1], blocks)


def _block(block: Block) -> bytes:
    """As msgspec writes it, its long lists broken into lines."""
    return b"   {%b}" % b",".join(_fields(block))


def _fields(block: Block) -> Iterator[bytes]:
    yield b'"type":%b' % _json(block.type)
    for field in msgspec.structs.fields(block):
        value = getattr(block, field.name)
        if not field.required and value == _default(field):
            continue
        text = _lines(value) if field.name in ROWS and value else _json(value)
        yield b'"%b":%b' % (field.name.encode(), text)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    factory = field.default_factory
    return field.default if factory is msgspec.NODEFAULT else factory()


def _lines(values: tuple[Any, ...]) -> bytes:
    return b"[\n    %b]" % b",\n    ".join(map(_json, values))
