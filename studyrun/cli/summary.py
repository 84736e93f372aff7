"""What is said at the end of a run: steps, verdicts, findings, and where the page is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from studyrun.cli.outcome import coloured, place_of, spoken
from studyrun.cli.terminal import harmless, named, near, padded, paint, wrapped
from studyrun.cli.verdicts import verdict_lines
from studyrun.running.history import LATEST
from studyrun.running.index import PAGE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from studyrun.runs import Run

__all__ = ["summary_text"]

FACTS = "report.json"
FORMATS = (2,)
"""Of `report.json`, whose summary is understood."""
MOST = 6
"""Pages, or steps that did not end well, that are named."""
LONGEST = 600
"""Characters of a finding that are shown."""


def summary_text(run: Run) -> str:
    """What became of the steps, the verdicts, what the report says in short, where the page is."""
    record = run.record
    head = f"{record['study']}: {record['status']} in {record['seconds']:.1f} s"
    many = len(run.cells) > 1
    steps = _folded(record) if many else _steps(record)
    lines = [paint(head, "bold"), *coloured("\n".join(steps))]
    lines += verdict_lines(run.cells)
    lines += [] if many else _findings(run)
    lines += _pages(run)
    return "\n".join([*lines, f"run: {near(_latest(run))}"])


# Steps


def _steps(record: Mapping[str, Any]) -> list[str]:
    """A line for each step with its seconds; those that were reused in one."""
    rows, reused = [], []
    for cell, facts in record["cells"].items():
        for name, step in facts["steps"].items():
            done, place = spoken(step["status"]), place_of(cell, name)
            took = f"{step['seconds']:.1f} s" if done == "ran" else ""
            if done == "reused":
                reused.append(place)
            else:
                rows.append((done, place, took))
    wide = max((len(done) for done, _, _ in rows), default=len("reused"))
    wide = max(wide, len("reused")) if reused else wide
    names = max((len(place) for _, place, _ in rows), default=0)
    seconds = max((len(took) for _, _, took in rows), default=0)
    lines = [
        f"  {done.ljust(wide)}  {place.ljust(names)}  {took.rjust(seconds)}".rstrip()
        for done, place, took in rows
    ]
    return [*lines, *(wrapped(", ".join(reused), f"  {'reused'.ljust(wide)}  ") if reused else ())]


def _folded(record: Mapping[str, Any]) -> list[str]:
    """How many steps of how many cells ran or were reused; by name what did neither."""
    found: dict[str, list[str]] = {}
    seconds = 0.0
    for cell, facts in record["cells"].items():
        for name, step in facts["steps"].items():
            done = spoken(step["status"])
            found.setdefault(done, []).append(place_of(cell, name))
            seconds += step.get("seconds") or 0.0
    wide = max(map(len, found))
    lines = []
    total = len(record["cells"])
    for done, places in found.items():
        cells = len({place.partition("/")[0] for place in places})
        said = f"{len(places)} step{'s' * (len(places) != 1)} in {cells} of {total} cells"
        said += f", {seconds:.1f} s" if done == "ran" else ""
        said += "" if done in ("ran", "reused") else f": {named(places, MOST)}"
        lines += wrapped(said, f"  {done.ljust(wide)}  ")
    return lines


# Findings


def _findings(run: Run) -> list[str]:
    """The terms in which the report sums itself up, a line each."""
    terms = _terms(run.folder / run.cell / FACTS)
    wide = max((len(name) for name, _ in terms), default=0)
    head = [paint("findings", "bold")] if terms else []
    return [*head, *(line for name, said in terms for line in _finding(name, said, wide))]


def _finding(name: str, said: str, wide: int) -> list[str]:
    return wrapped(said, f"  {padded(name, wide)}  ")


def _terms(file: Path) -> list[tuple[str, str]]:
    """`summary` of a `report.json` (names and what is said); nothing where it is not to be read.

    A report is a plugin's, and people edit it: whatever stands there must not fail a summary.
    """
    try:
        facts = json.loads(file.read_bytes())
        if facts["format"] not in FORMATS:
            return []
        pairs = [(str(term["name"]), str(term["shown"])) for term in facts["summary"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    return [(harmless(name[:LONGEST]), harmless(said[:LONGEST])) for name, said in pairs]


# Where it is


def _pages(run: Run) -> list[str]:
    """The page at the top, which is the index of a matrix; else those of its cells."""
    latest = _latest(run)
    pages = [latest / PAGE, *(latest / cell / PAGE for cell in run.cells if cell)]
    there = [near(page) for page in pages if page.exists()]
    if (latest / PAGE).exists():
        return [f"page: {there[0]}"]
    lines = [f"page: {page}" for page in there[:MOST]]
    return [*lines, f"      and {len(there) - MOST} more"] if len(there) > MOST else lines


def _latest(run: Run) -> Path:
    """The run's folder by its lasting name, if it is the latest."""
    latest = run.folder.parent / LATEST
    return latest if latest.resolve() == run.folder.resolve() else run.folder
