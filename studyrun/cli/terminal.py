"""Writing to the terminal: what it shows of a text, how wide it is, and colour where it is seen."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "HIDDEN",
    "breadth",
    "cut",
    "harmless",
    "named",
    "near",
    "padded",
    "paint",
    "table",
    "visible",
    "width",
    "wrapped",
    "write",
]

_CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34}
USUAL = 100
"""Characters in a line where nobody says how many there are: a pipe, a file."""
NARROWEST = 40
HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's categories of what moves the cursor, reorders or hides: ESC, U+202E, U+200B."""
JOINERS = "\u200c\u200d"
"""Parts of words and of emoji, harmless."""
SPACES = str.maketrans("\n\r\t", "   ")
STAYING = f"\n\t{JOINERS}"
ELLIPSIS = "..."


def write(text: str) -> None:
    """The text and a line end on stdout."""
    sys.stdout.write(f"{text}\n")


def paint(text: str, colour: str) -> str:
    """The text in that colour on a terminal that wants colours, and as it is elsewhere."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m"


def width() -> int:
    """How many characters a line has: what `COLUMNS` or the terminal says, else 100."""
    return max(NARROWEST, shutil.get_terminal_size((USUAL, 24)).columns)


def harmless(text: str) -> str:
    """The text in one line, whatever was in it: spaces for line ends, the rest as in `visible`."""
    return visible(text.translate(SPACES)).strip()


def visible(text: str) -> str:
    """The text with hidden characters written out, `<U+001B>`; line ends and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character in STAYING or unicodedata.category(character) not in HIDDEN:
        return character
    return f"<U+{ord(character):04X}>"


def breadth(text: str) -> int:
    """How many characters' room it takes: Chinese takes two each, an accent of its own none."""
    if text.isascii():
        return len(text)
    return sum(map(_breadth, text))


def _breadth(character: str) -> int:
    if unicodedata.combining(character) or character in JOINERS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, room: int) -> str:
    """The text, or the beginning of it that fits and an ellipsis."""
    if breadth(text) <= room:
        return text
    kept = text[: max(0, room - len(ELLIPSIS))]
    while breadth(kept) > room - len(ELLIPSIS) and kept:
        kept = kept[:-1]
    return f"{kept.rstrip()}{ELLIPSIS}"[:room]


def padded(text: str, room: int, *, right: bool = False) -> str:
    """The text with spaces after it (before it) up to that room."""
    spaces = " " * (room - breadth(text))
    return f"{spaces}{text}" if right else f"{text}{spaces}"


def wrapped(text: str, first: str = "") -> list[str]:
    """Lines no wider than the terminal.

    Args:
        text: in one line.
        first: what the first line begins with; the others begin with as many spaces.
    """
    lines = textwrap.wrap(
        text,
        width(),
        initial_indent=first,
        subsequent_indent=" " * breadth(first),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [first.rstrip()]


def named(names: Sequence[str], most: int) -> str:
    """`a, b, c`, or the first of them and how many more there are."""
    more = len(names) - most
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:most])} and {more} more"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, two spaces apart; the last one is not padded."""
    widths = [max(map(breadth, column)) for column in zip(head, *rows, strict=True)]
    first, *others = (_row(cells, widths) for cells in (head, *rows))
    return "\n".join([paint(first, "bold"), *others])


def near(file: str | Path) -> str:
    """The path as seen from the current folder if it lies below, else in full."""
    path = Path(file)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(file)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    room = [padded(cell, wide) for cell, wide in zip(cells, widths, strict=True)]
    return "  ".join([*room[:-1], cells[-1]]).rstrip()
