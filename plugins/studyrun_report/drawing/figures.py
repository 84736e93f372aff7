"""A figure as a paper takes it: SVG, PNG, and the numbers it was drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studyrun_report.blocks import Figure
from studyrun_report.drawing.pictures import for_file, png

__all__ = ["as_csv", "datasets", "files_of"]

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would calculate."""
QUOTE = '"'


def files_of(figure: Figure, drawn: str) -> dict[str, bytes]:
    """`figures/<id>.svg`, `.png` and `.csv`, and `-2.csv` and so on where it has more data.

    Args:
        figure: the block.
        drawn: its SVG.
    """
    stem = f"figures/{figure.id}"
    data = datasets(figure.spec)
    names = [stem, *(f"{stem}-{number}" for number in range(2, len(data) + 1))]
    return {
        f"{stem}.svg": for_file(drawn, figure.caption, figure.alt).encode(),
        f"{stem}.png": png(drawn),
        **{f"{name}.csv": as_csv(rows).encode() for name, rows in zip(names, data, strict=False)},
    }


def datasets(spec: Mapping[str, Any]) -> list[Sequence[Mapping[str, Any]]]:
    """The rows that the picture was drawn from, the largest table first."""
    return sorted((spec.get("datasets") or {}).values(), key=len, reverse=True)


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as CSV; text that a spreadsheet would calculate begins with an apostrophe."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines: list[list[Any]] = [columns, *([row.get(name) for name in columns] for row in rows)]
    return "".join(f"{','.join(map(_field, line)) or 2 * QUOTE}\n" for line in lines)


def _field(value: Any) -> str:
    if value is None:
        return ""
    text = f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else str(value)
    return f'"{text.replace(QUOTE, 2 * QUOTE)}"' if set(text) & {QUOTE, ",", "\n", "\r"} else text
