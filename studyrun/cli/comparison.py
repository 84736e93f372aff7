"""`studyrun compare`: where the page goes, and what the terminal shows of it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from studyrun.cli.grid import Column, fitted
from studyrun.cli.rewriting import rewrite
from studyrun.cli.terminal import harmless, named, near, paint, width, wrapped
from studyrun.cli.values import as_text, inert, plain
from studyrun.cli.verdicts import verdict_columns
from studyrun.comparing import compared
from studyrun.errors import UsageError
from studyrun.keys import digest
from studyrun.running.history import RECORD
from studyrun.running.index import PAGE
from studyrun.storing.files import writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from studyrun.comparing import Compared
    from studyrun.runs import Run

__all__ = [
    "comparison_json",
    "comparison_text",
    "folder_for",
    "must_be_free",
    "side_by_side",
    "write_files",
]

FACTS = "comparison.json"
FOLDER = "compare"
LONGEST = 80
"""Characters of a folder's name."""
MOST = 30
"""Runs that get a line on the terminal."""
HIDDEN = 8
"""So many of the columns that do not fit are named."""
LENGTH = 60
"""Characters of a value or a finding that are shown."""


def folder_for(runs: Sequence[Run], out: str) -> Path:
    """`<out>/compare/<names>`: the same for the same runs, and another for others."""
    cells = [cell for run in runs for cell in run.cells.values()]
    facts = [[c.record["study"], c.record["run"], c.cell] for c in cells]
    studies = "+".join(dict.fromkeys(str(fact[0]) for fact in facts))
    name = re.sub(r"[^\w.+-]", "_", studies, flags=re.ASCII)[:LONGEST]
    return Path(out) / FOLDER / f"{name}-{digest(facts)[:8]}"


def side_by_side(runs: Sequence[Run], folder: Path) -> tuple[Compared, ...]:
    """The runs aligned, each with the link that leads from the folder to its page.

    Raises:
        UsageError: they are not two, or nothing differs between them.
    """
    found = compared(runs, lambda cell: _link(cell, folder))
    if not found[0].differences:
        names = named([each.name for each in found], 3)
        raise UsageError(f"nothing differs between {names}: all their parameters are equal")
    return found


def _link(cell: Run, folder: Path) -> str:
    page = cell.folder / cell.cell / PAGE
    if not page.exists():
        return ""
    way = os.path.relpath(page.resolve(), folder.resolve())
    return quote(Path(way).as_posix(), safe="/=,+@")


def must_be_free(folder: Path) -> None:
    """See that a comparison may lie there.

    Raises:
        UsageError: a run does, or it is a file.
    """
    if (folder / RECORD).exists():
        raise UsageError(f"{folder} is a run's folder; name another one with --into")
    if folder.is_file():
        raise UsageError(f"{folder} is a file; name a folder with --into")


def write_files(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write them in place of an earlier comparison's, each in one step and the page last; the page.

    Raises:
        UsageError: they would replace what no comparison wrote.
        StudyError: the disk refuses.
    """
    with writing(folder, "--into"):
        rewrite(folder, files, PAGE)
    return folder / PAGE


def comparison_text(runs: Sequence[Compared], files: Mapping[str, bytes], page: Path) -> str:
    """A line for each with what differs, what the page sums it up by, and its verdicts."""
    shown = runs[:MOST]
    columns = [
        Column("", tuple(harmless(each.name) for each in shown)),
        *_parameters(shown),
        *_findings(files, len(runs)),
        *verdict_columns([each.run.verdicts for each in shown]),
    ]
    grid = fitted(columns, width())
    lines = [paint(f"{len(runs)} runs compared", "bold"), *grid.lines()]
    if len(runs) > MOST:
        lines.append(paint(f"{len(runs) - MOST} more on the page", "dim"))
    if grid.hidden:
        hidden = f"{len(grid.hidden)} hidden: {named(grid.hidden, HIDDEN)}"
        lines += [paint(line, "dim") for line in wrapped(hidden)]
    return "\n".join([*lines, f"page: {near(page)}"])


def _parameters(runs: Sequence[Compared]) -> Iterable[Column]:
    for title in runs[0].differences:
        values = [each.differences[title] for each in runs]
        right = all(isinstance(value, int | float | None) for value in values)
        cells = tuple(as_text(value)[:LENGTH] for value in values)
        yield Column(harmless(title), cells, right, use=1)


def _findings(files: Mapping[str, bytes], runs: int) -> Iterable[Column]:
    """The `summary` of `comparison.json`; nothing where it is not as it should be."""
    summary = _summary(files)
    try:
        rows = [[harmless(str(cell)[:LENGTH]) for cell in row] for row in summary["rows"]]
        titles = [harmless(str(title)[:LENGTH]) for title in summary["columns"]]
        cells = list(zip(*rows, strict=True))
    except (KeyError, TypeError, ValueError):
        return
    if len(rows) != runs or len(cells) != len(titles):
        return
    for title, column in zip(titles, cells, strict=True):
        yield Column(title, tuple(column[:MOST]), right=True, use=2)


def _summary(files: Mapping[str, bytes]) -> Any:
    try:
        return json.loads(files[FACTS])["summary"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}


def comparison_json(runs: Sequence[Compared], files: Mapping[str, bytes], page: Path) -> str:
    """What `comparison_text` says, for programs."""
    rows = [
        {
            "name": each.name,
            "study": each.run.record["study"],
            "run": each.run.record["run"],
            "cell": each.run.cell,
            "differences": plain(dict(each.differences)),
            "verdicts": {name: found.verdict for name, found in each.run.verdicts.items()},
        }
        for each in runs
    ]
    facts = {"page": str(page), "runs": rows, "summary": _summary(files)}
    return inert(json.dumps(facts, indent=1, ensure_ascii=False))
