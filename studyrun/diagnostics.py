"""One record of what is wrong and where, and its three views: text, JSON, GitHub annotations."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["VIEWS", "Diagnostic", "Place", "Related", "as_github", "as_json", "as_text", "visible"]

SHOWN = 88
"""Columns of a source line that are shown; a longer line is cut around the caret."""
LONGEST_SOURCE = 1000
"""Characters of a source line in the JSON view."""
NAMED, BESIDE = 40, 12
"""Allowed values that are listed, without and beside a suggestion; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Place:
    """A piece of one line of one file."""

    file: str
    """As it was given: relative stays relative; `--set` for a command-line setting."""
    line: int = 1
    """From 1."""
    column: int = 1
    """From 1, in characters (not bytes, not terminal cells)."""
    source: str = ""
    """The whole line, without its end."""
    width: int = 1
    """Characters that the caret underlines."""

    def __str__(self) -> str:
        return f"{visible(self.file)}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that belongs to a diagnostic, and what it has to do with it."""

    place: Place
    message: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One fault of a study: its place, the path of the value, what is wrong, and the cure."""

    place: Place
    path: str
    """`$.steps.sae.with.k`; `$` is the whole study."""
    message: str
    code: str = "value"
    """A stable word for the sort of fault: `syntax`, `unknown-key`, `type`, `wiring`, ..."""
    allowed: tuple[str, ...] = ()
    """The values that would have been right, where they can be listed."""
    suggestion: str = ""
    """The allowed value that was probably meant."""
    related: tuple[Related, ...] = ()
    severity: Literal["error", "warning"] = "error"

    @property
    def file(self) -> str:
        """The file that has to change."""
        return self.place.file

    @property
    def line(self) -> int:
        """Its line, from 1."""
        return self.place.line

    @property
    def column(self) -> int:
        """Its column, from 1."""
        return self.place.column

    @property
    def sentence(self) -> str:
        """The message with the suggestion, on one line."""
        asked = f"; did you mean {self.suggestion!r}?" if self.suggestion else ""
        return visible(self.message + asked)

    def __str__(self) -> str:
        return as_text([self])


def as_text(diagnostics: Sequence[Diagnostic]) -> str:
    """`file:line:column path: message`, then the source line with a caret, for each fault."""
    return "\n".join(line for diagnostic in diagnostics for line in _text_lines(diagnostic))


def as_json(diagnostics: Sequence[Diagnostic]) -> str:
    """A JSON list of flat records; pure ASCII, so that no terminal or locale can spoil it."""
    return json.dumps([_record(diagnostic) for diagnostic in diagnostics], indent=2)


def as_github(diagnostics: Sequence[Diagnostic]) -> str:
    """Workflow commands that GitHub shows beside the changed line."""
    return "\n".join(_workflow_command(diagnostic) for diagnostic in diagnostics)


VIEWS: dict[str, Callable[[Sequence[Diagnostic]], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
}
"""The views by the name that `--format` knows them by."""


def visible(text: str) -> str:
    r"""The text on one line with every character that acts instead of showing written as `\x1b`.

    Harmless are: C0 and C1 controls, line and paragraph separators, bidirectional overrides,
    zero-width characters and lone surrogates.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def _text_lines(diagnostic: Diagnostic) -> list[str]:
    place = diagnostic.place
    warning = "warning: " if diagnostic.severity == "warning" else ""
    lines = [f"{place} {visible(diagnostic.path)}: {warning}{diagnostic.sentence}"]
    lines += _quoted(place)
    if diagnostic.allowed:
        lines.append(f"  allowed: {_allowed(diagnostic)}")
    lines += [f"  {visible(other.message)}: {other.place}" for other in diagnostic.related]
    return lines


def _allowed(diagnostic: Diagnostic) -> str:
    """The first of the allowed values; few where the one that was meant is named already."""
    values, most = diagnostic.allowed, BESIDE if diagnostic.suggestion else NAMED
    more = f", and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(visible(value) for value in values[:most]) + more


def _quoted(place: Place) -> list[str]:
    """The source line behind its number, and the caret below."""
    if not place.source.strip():
        return []
    start = min(place.column - 1, len(place.source))
    before, marked, after = _cut(place.source, start, max(place.width, 1))
    number = str(place.line)
    caret = "^" * max(_cells(marked), 1)
    return [
        f"  {number} | {before}{marked}{after}".rstrip(),
        f"  {' ' * len(number)} | {' ' * _cells(before)}{caret}",
    ]


def _cut(source: str, start: int, width: int) -> tuple[str, str, str]:
    """What stands before, under and after the caret, made visible, `SHOWN` wide at most."""
    width = min(width, SHOWN)
    first = 0 if start + width <= SHOWN else max(0, start + width // 2 - SHOWN // 2)
    last = first + SHOWN
    before = "…" * (first > 0) + visible(source[first:start])
    after = visible(source[start + width : last]) + "…" * (last < len(source))
    return before, visible(source[start : start + width]), after


def _cells(text: str) -> int:
    """How many terminal columns the text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def _record(diagnostic: Diagnostic) -> dict[str, Any]:
    place = diagnostic.place
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "width": place.width,
        "path": diagnostic.path,
        "severity": diagnostic.severity,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "allowed": list(diagnostic.allowed),
        "suggestion": diagnostic.suggestion or None,
        "source": place.source[:LONGEST_SOURCE],
        "related": [
            {
                "file": other.place.file,
                "line": other.place.line,
                "column": other.place.column,
                "message": other.message,
            }
            for other in diagnostic.related
        ],
    }


def _workflow_command(diagnostic: Diagnostic) -> str:
    place = diagnostic.place
    properties: dict[str, str | int] = {
        "file": place.file,
        "line": place.line,
        "col": place.column,
        "endColumn": place.column + max(place.width, 1),
        "title": f"studyrun {diagnostic.code}",
    }
    listed = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    allowed = f" (allowed: {_allowed(diagnostic)})" if diagnostic.allowed else ""
    message = f"{visible(diagnostic.path)}: {diagnostic.sentence}{allowed}"
    return f"::{diagnostic.severity} {listed}::{_escaped(message)}"


def _escaped(value: str | int, also: str = "") -> str:
    """A value that cannot end its own workflow command: %, line ends and `also` are encoded."""
    text = str(value)
    for character in "%\r\n" + also:
        text = text.replace(character, f"%{ord(character):02X}")
    return visible(text)
