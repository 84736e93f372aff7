"""Positions by rule: an index, an offset from the end, `last`, or `/regular expression/`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from studyrun import Position

__all__ = ["Tokens", "column_of", "fault_of"]

LAST = "last"


@dataclass(frozen=True, slots=True)
class Tokens:
    """A prompt as the model reads it."""

    text: str
    ids: Sequence[int]
    spans: Sequence[tuple[int, int]]
    """Begin and end of every token in `text`."""
    counted: Sequence[int]
    """Which tokens positions count, in order; special tokens that were added may be left out."""


def fault_of(position: Position) -> str | None:
    """What is wrong with a rule, whatever the prompt; None if nothing is."""
    if isinstance(position, int) or position == LAST:
        return None
    if len(position) < 3 or not (position[0] == position[-1] == "/"):
        return f"{position!r} is not a position: write a number, `{LAST}` or `/expression/`"
    try:
        re.compile(position[1:-1])
    except re.error as error:
        return f"{position!r} is not a regular expression: {error}"
    return None


def column_of(position: Position, tokens: Tokens) -> int:
    """The token that a position means in this prompt, as an index into its ids.

    Raises:
        LookupError: the prompt has no such token; the message says why.
    """
    if isinstance(position, int) or position == LAST:
        return _by_index(-1 if position == LAST else int(position), tokens)
    return _by_match(position[1:-1], tokens)


def _by_index(index: int, tokens: Tokens) -> int:
    n = len(tokens.counted)
    if not -n <= index < n:
        raise LookupError(f"position {index} does not exist in a prompt of {n} tokens")
    return tokens.counted[index]


def _by_match(pattern: str, tokens: Tokens) -> int:
    matches = [match for match in re.finditer(pattern, tokens.text) if match.group()]
    if not matches:
        raise LookupError(f"/{pattern}/ matches nothing in the prompt")
    begin, end = matches[-1].span()
    inside = [i for i in tokens.counted if tokens.spans[i][0] < end and tokens.spans[i][1] > begin]
    if not inside:
        raise LookupError(f"/{pattern}/ matches {matches[-1].group()!r}, which is in no token")
    return inside[-1]
