"""From a place in a text to the place where YAML writes it: quotes, escapes and folding aside.

What both have in common, character for character, is everything that is no white space.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from studyrun.source import Span

__all__ = ["piece_of"]

ANCHOR = re.compile(r"&[^\s,\[\]{}]+\s+")
BLOCK = re.compile(r"[|>][^\r\n]*")
"""The first line of a block, which is not part of its text."""
ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r\n|.)", re.DOTALL)
NAMED = {"0": "\0", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
NAMED |= {"v": "\v", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029"}


def piece_of(span: Span, text: str, start: int, end: int) -> Span:
    """Where `text[start:end]` is written, the scalar `text` being written at `span`.

    It is the whole span where that cannot be said, as behind an alias.
    """
    written = list(_characters(span.text))
    number = sum(not character.isspace() for character in text[:start])
    length = sum(not character.isspace() for character in text[start:end])
    found = written[number : number + length]
    if not found or [each for each, _, _ in found] != [c for c in text[start:end] if c.strip()]:
        return span
    return replace(span, start=span.start + found[0][1], end=span.start + found[-1][2])


def _characters(written: str) -> Iterator[tuple[str, int, int]]:
    """(character, its first and last place) of a scalar's text as it is written, no white space."""
    anchor = ANCHOR.match(written)
    at = anchor.end() if anchor else 0
    style = written[at : at + 1]
    if style in ("'", '"'):
        read = _double(written, at + 1) if style == '"' else _single(written, at + 1)
    else:
        block = BLOCK.match(written, at)
        at = block.end() if block else at
        read = ((each, at + i, at + i + 1) for i, each in enumerate(written[at:]))
    return ((each, first, last) for each, first, last in read if not each.isspace())


def _single(written: str, at: int) -> Iterator[tuple[str, int, int]]:
    while at < len(written) - 1:
        width = 2 if written.startswith("''", at) else 1
        yield written[at], at, at + width
        at += width


def _double(written: str, at: int) -> Iterator[tuple[str, int, int]]:
    while at < len(written) - 1:
        escape = ESCAPE.match(written, at)
        end = escape.end() if escape else at + 1
        yield _unescaped(escape[1]) if escape else written[at], at, end
        at = end


def _unescaped(code: str) -> str:
    """The character of an escape; a line end for one that only joins lines."""
    if len(code) > 1 and code[0] in "xuU":
        return chr(int(code[1:], 16))
    return NAMED.get(code, code)
