"""Writing to the terminal: text, tables, and colour where somebody can see it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["near", "paint", "table", "write"]

_CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34}


def write(text: str) -> None:
    """The text and a line end on stdout."""
    sys.stdout.write(f"{text}\n")


def paint(text: str, colour: str) -> str:
    """The text in that colour on a terminal that wants colours, and as it is elsewhere."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, two spaces apart; the last one is not padded."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    first, *others = (_row(cells, widths) for cells in (head, *rows))
    return "\n".join([paint(first, "bold"), *others])


def near(file: str | Path) -> str:
    """The path as seen from the current folder if it lies below, else in full."""
    path = Path(file)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(file)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join([*padded[:-1], cells[-1]]).rstrip()
