"""JSON Lines files: every line is either a record or named with its number and its fault."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

from studyrun import StudyError

__all__ = [
    "BadLine",
    "Line",
    "LineError",
    "Lines",
    "as_text",
    "convert",
    "kind_of",
    "read_lines",
    "text_in",
    "value_in",
]

T = TypeVar("T")

SHOWN = 20
"""How many bad lines an error describes; the others are named by number."""


class LineError(ValueError):
    """One line cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One record of a file."""

    number: int
    """Counted from 1, as editors do; blank lines count."""
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BadLine:
    """One line that cannot be used."""

    number: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Lines(Generic[T]):
    """All lines of a source that are not blank: what became of each of them."""

    source: str
    """The file's path, or the data set's name."""
    good: tuple[T, ...]
    bad: tuple[BadLine, ...] = ()

    def refusal(self, cure: str) -> StudyError:
        """The error that names all bad lines, and says what to do."""
        told = [f"  line {line.number}: {line.reason}" for line in self.bad[:SHOWN]]
        rest = ", ".join(str(line.number) for line in self.bad[SHOWN:])
        more = [f"  likewise the lines {rest}"] if rest else []
        n = len(self.good) + len(self.bad)
        head = f"{self.source}: {len(self.bad)} of {n} lines cannot be used"
        return StudyError("\n".join([head, *told, *more, cure]))


def read_lines(path: Path, limit: int | None = None) -> Lines[Line]:
    """Every line of a JSON Lines file that is not blank, up to `limit` of them.

    UTF-8 with or without byte order mark; lines end with LF or CRLF.

    Raises:
        StudyError: the file cannot be read, or holds nothing.
    """
    try:
        content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror})") from error
    numbered = enumerate(content.split(b"\n"), start=1)  # U+2028 inside a string ends no line
    used = list(islice(((number, raw) for number, raw in numbered if raw.strip()), limit))
    if not used:
        raise StudyError(f"{path}: holds no line; write one JSON object a line")
    good, bad = [], []
    for number, raw in used:
        try:
            good.append(Line(number, _record(raw)))
        except LineError as fault:
            bad.append(BadLine(number, raw.decode(errors="replace").strip(), str(fault)))
    return Lines(str(path), tuple(good), tuple(bad))


def convert(lines: Lines[Line], read: Callable[[Line], T]) -> Lines[T]:
    """What `read` makes of every good line; where it raises `LineError` the line is bad."""
    good, bad = [], list(lines.bad)
    for line in lines.good:
        try:
            good.append(read(line))
        except LineError as fault:
            text = json.dumps(line.record, ensure_ascii=True, default=str)
            bad.append(BadLine(line.number, text, str(fault)))
    bad.sort(key=lambda line: line.number)
    return Lines(lines.source, tuple(good), tuple(bad))


def text_in(record: Mapping[str, Any], field: str) -> str:
    """The string in a field.

    Raises:
        LineError: there is none, or one that cannot be stored as UTF-8.
    """
    return as_text(value_in(record, field), field)


def as_text(value: object, field: str) -> str:
    """The value, if it is a string that can be stored as UTF-8.

    Raises:
        LineError: it is not; the message names the field.
    """
    if not isinstance(value, str):
        raise LineError(f"field {field!r} is {kind_of(value)}, not a string")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise LineError(f"field {field!r} holds half a surrogate pair") from error
    return value


def value_in(record: Mapping[str, Any], field: str) -> Any:
    """The value of a field.

    Raises:
        LineError: the record has no such field.
    """
    if field not in record:
        raise LineError(f"no field {field!r}; it has {', '.join(record) or 'none at all'}")
    return record[field]


def _record(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise LineError(f"not UTF-8 at byte {error.start + 1}") from error
    except json.JSONDecodeError as error:
        raise LineError(f"not JSON: {error.msg} at column {error.colno}") from error
    except LineError:
        raise
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits, deep nesting
        raise LineError(f"not readable: {error}") from error
    if not isinstance(value, dict):
        raise LineError(f"{kind_of(value)}, not an object")
    return value


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for name, value in pairs:
        if name in record:
            raise LineError(f"field {name!r} stands in it twice")
        record[name] = value
    return record


def _constant(name: str) -> float:
    raise LineError(f"{name} is not JSON")


def kind_of(value: object) -> str:
    """What JSON calls the type of a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a string"
        case list():
            return "a list"
        case dict():
            return "an object"
    return "a number"
