"""From what somebody calls a run to the run: a folder, a study's folder, a study's file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from studyrun.cli.terminal import named
from studyrun.errors import InvalidStudy, UsageError
from studyrun.faults.suggest import did_you_mean
from studyrun.running.history import LATEST, RECORD
from studyrun.runs import open_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from studyrun.runs import Run

__all__ = ["find_run", "one_cell"]

STUDIES = (".yaml", ".yml")
SHOWN = 6


def find_run(where: str, out: str = "outputs", plugins: Sequence[str] = ()) -> Run:
    """The run of that name.

    Args:
        where: a run's folder or a cell's in it, a study's folder of runs (the latest is meant), a
            study's file (its latest run under `out`); folders may be named as seen from `out`.
        out: where results go.
        plugins: local plugins, as in `-p`.

    Raises:
        UsageError: there is no such run.
        InvalidStudy: the study's file says not even its name.
    """
    path = Path(where)
    if path.suffix in STUDIES and path.is_file():
        path = Path(out) / _name_in(path)
        if not (path / LATEST).exists():
            raise UsageError(f"{where} has no run in {out}; `studyrun {where}` makes one")
    elif not path.exists() and (Path(out) / path).exists():
        path = Path(out) / path
    if (path / LATEST).exists() and not (path / RECORD).exists():
        path /= LATEST
    if not path.exists():
        raise UsageError(_missing(path, Path(out)))
    return open_run(path, plugins)


def _missing(path: Path, out: Path) -> str:
    what = "file" if path.suffix in STUDIES else "folder"
    places = {path.parent, out / path.parent}
    near = sorted({each.name for place in places if place.is_dir() for each in place.iterdir()})
    return f"{path} is not a run: there is no such {what}{did_you_mean(path.name, near)}"


def one_cell(run: Run, cell: str | None) -> Run:
    """The cell of that name, or the run itself where it has no matrix.

    Raises:
        UsageError: there is none of that name, or one has to be chosen.
    """
    cells = run.cells
    if cell is None and len(cells) == 1:
        return next(iter(cells.values()))
    if cell in cells:
        return cells[cell]
    names = [name for name in cells if name]
    if not names:
        raise UsageError("the run has no matrix; leave --cell out")
    there = f"(cells: {named(names, SHOWN)})"
    if cell is None:
        raise UsageError(f"the run has a matrix; choose a cell with --cell {there}")
    raise UsageError(f"the run has no cell {cell!r}{did_you_mean(cell, names)} {there}")


def _name_in(study: Path) -> str:
    """What a study's file calls the study, or a study that it extends does."""
    from studyrun.reading.drafts import read_draft

    draft = read_draft(study)
    name = draft.root.get("study") if draft.root else None
    if name is None or not isinstance(name.value, str):
        raise InvalidStudy(draft.faults) if draft.faults else UsageError(f"{study} names no study")
    return name.value
