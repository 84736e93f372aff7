"""A piece of text with a name: the files a study is made of, and `--set` arguments.

Bytes become text here and nowhere else: UTF-8 whatever the locale says, bounded in size, free of
characters that do not show.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from studyrun.diagnostics import Diagnostic, Place
from studyrun.errors import InvalidStudy

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MAX_BYTES", "Source", "Span", "character_faults", "escaped", "read"]

MAX_BYTES = 1 << 20
"""A study is written by hand: a larger file is not one."""
MAX_CHARACTER_FAULTS = 10
_BYTE_ORDER_MARKS = {
    b"\xff\xfe": "UTF-16 or UTF-32",
    b"\xfe\xff": "UTF-16",
    b"\0\0\xfe\xff": "UTF-32",
}
_LINE_END = re.compile(r"\r\n|\n|\r")
_UNWELCOME = (
    (0x00, 0x08),
    (0x0B, 0x0C),
    (0x0E, 0x1F),
    (0x7F, 0x9F),
    (0x2028, 0x2029),
    (0xD800, 0xDFFF),
    (0xFEFF, 0xFEFF),
    (0xFFFE, 0xFFFF),
)
"""Not printable in YAML 1.2, or (U+0085, U+2028, U+2029) a line end in YAML 1.1 alone."""


@dataclass(frozen=True, eq=False)
class Source:
    """A named text. Positions are counted in characters from its start."""

    name: str
    """As diagnostics show it: the path as it was given, or `--set`."""
    text: str
    path: Path | None = None
    """The file, if it is one: `extends` and the study's files are relative to its folder."""

    def place(self, start: int, end: int) -> Place:
        """The place that begins at `start`; it ends at `end`, or with its line."""
        line = bisect_right(self._starts, start) - 1
        column = start - self._starts[line]
        text = self._lines[line]
        width = max(1, min(end - start, len(text) - column))
        return Place(self.name, line + 1, column + 1, text, width)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    @cached_property
    def _lines(self) -> list[str]:
        return _LINE_END.split(self.text)


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a source's characters."""

    source: Source
    start: int
    end: int

    @property
    def place(self) -> Place:
        """Where it is, for a diagnostic."""
        return self.source.place(self.start, self.end)

    @property
    def text(self) -> str:
        """What is written there."""
        return self.source.text[self.start : self.end]


def read(path: Path) -> Source:
    """The text of a file.

    Raises:
        InvalidStudy: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise _unreadable(Place(str(path)), f"cannot read the study: {reason}") from error
    if len(data) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES >> 20} MiB: not a study"
        raise _unreadable(Place(str(path)), message)
    return Source(str(path), _decoded(path, data), path)


def _decoded(path: Path, data: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            message = f"the file is {encoding}; save it as UTF-8"
            raise _unreadable(Place(str(path)), message)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        shown = Source(str(path), data.decode("utf-8-sig", "backslashreplace"), path)
        start = len(data[: error.start].decode("utf-8-sig"))
        message = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise _unreadable(shown.place(start, start + 4), message) from error


def _unreadable(place: Place, message: str) -> InvalidStudy:
    return InvalidStudy([Diagnostic(place, "$", message, code="unreadable")])


def escaped(text: str) -> str:
    """JSON text in which every character may stand in a study."""
    return text.translate({ord(character): _escape(character) for character in _unwelcome(text)})


def _escape(character: str) -> str:
    return f"\\u{ord(character):04x}"


def _unwelcome(text: str) -> set[str]:
    """The characters of the text that may not stand in a study as they are."""
    found = (c for c in set(text) if any(first <= ord(c) <= last for first, last in _UNWELCOME))
    return set(found)


def character_faults(source: Source) -> list[Diagnostic]:
    """The first few characters of the text that may not stand in a study."""
    unwelcome = _unwelcome(source.text)
    if not unwelcome:
        return []
    places = [at for at, character in enumerate(source.text) if character in unwelcome]
    return [_character_fault(source, at) for at in places[:MAX_CHARACTER_FAULTS]]


def _character_fault(source: Source, at: int) -> Diagnostic:
    message = (
        f"the character U+{ord(source.text[at]):04X} does not show; "
        "delete it, or write it as an escape in double quotes"
    )
    return Diagnostic(source.place(at, at + 1), "$", message, code="character")
