"""Verdicts in front of people: one study's with their evidence, many studies' as a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun.cli.grid import Column, fitted
from studyrun.cli.outcome import COLOURS, coloured
from studyrun.cli.terminal import breadth, harmless, named, padded, paint, width, wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from studyrun.runs import Run
    from studyrun.verdicts import Verdict

__all__ = ["verdict_columns", "verdict_lines"]

INDENT = "  "
MOST_CELLS = 20
"""So many get a line each."""
FEW = 3
"""So many are named beside a count."""
NONE = "-"
LAST = 3
"""Verdicts give way to what was measured, which says more."""
WORDS = ("supported", "refuted", "inconclusive")

Judged = dict[str, dict[str, "Verdict"]]
"""By cell and hypothesis."""


def verdict_lines(cells: Mapping[str, Run]) -> list[str]:
    """Nothing where there is no hypothesis."""
    judged = {name: cell.verdicts for name, cell in cells.items()}
    if not any(judged.values()):
        return []
    lines = _one(next(iter(judged.values()))) if len(judged) == 1 else _many(judged)
    return [paint("verdicts", "bold"), *lines]


def _one(verdicts: Mapping[str, Verdict]) -> list[str]:
    """Verdict, hypothesis, the evidence or else the reason."""
    words = max(len(each.verdict) for each in verdicts.values())
    names = max(map(len, verdicts))
    lines: list[str] = []
    for name, each in verdicts.items():
        head = f"{INDENT}{each.verdict.ljust(words)}  {name.ljust(names)}  "
        lines += coloured("\n".join(wrapped(harmless(each.evidence or each.reason), head)))
    return lines


def _many(judged: Judged) -> list[str]:
    """A line for every cell with a column for every hypothesis; counts where that is too much."""
    columns = [Column("cell", tuple(judged)), *verdict_columns(list(judged.values()))]
    grid = fitted(columns, width() - len(INDENT))
    if len(judged) > MOST_CELLS or grid.hidden:
        return _counts(judged)
    head, *rows = grid.lines(INDENT)
    return [head, *(_last_words(row) for row in rows)]


def verdict_columns(judged: list[dict[str, Verdict]]) -> list[Column]:
    """A column of words for every hypothesis that any of them has."""
    names = dict.fromkeys(name for verdicts in judged for name in verdicts)
    return [
        Column(name, tuple(v[name].verdict if name in v else NONE for v in judged), use=LAST)
        for name in names
    ]


def _last_words(line: str) -> str:
    """The line with every verdict in its colour."""
    for word in WORDS:
        line = line.replace(f"  {word}", f"  {paint(word, COLOURS[word])}")
    return line


def _counts(judged: Judged) -> list[str]:
    """For every hypothesis how often which verdict, and in which cells where those are few."""
    names = dict.fromkeys(name for verdicts in judged.values() for name in verdicts)
    wide = max(map(breadth, names))
    lines: list[str] = []
    for name in names:
        cells: dict[str, list[str]] = {word: [] for word in WORDS}
        for cell, verdicts in judged.items():
            if name in verdicts:
                cells[verdicts[name].verdict].append(cell)
        total = len(judged)
        said = "; ".join(_count(word, which, total) for word, which in cells.items() if which)
        lines += wrapped(said, f"{INDENT}{padded(name, wide)}  ")
    return lines


def _count(word: str, cells: list[str], total: int) -> str:
    if len(cells) == total:
        return f"{word} in all {total} cells"
    where = f" ({named(cells, FEW)})" if len(cells) <= FEW else ""
    return f"{word} in {len(cells)}{where}"
