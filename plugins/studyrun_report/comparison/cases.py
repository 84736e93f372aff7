"""Cases: the studies that are compared, what can be read of each, and where it lies in the grid."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from studyrun import Artifact, Compared, StudyError
from studyrun_report.blocks import Verdict
from studyrun_report.comparison.grid import Grid, grid_of
from studyrun_report.comparison.measures import SCHEMA, kinds, measures
from studyrun_report.params import ReportParams
from studyrun_report.sections.verdicts import verdicts
from studyrun_report.source import Source, Stored
from studyrun_report.writing.text import harmless

__all__ = ["NAME", "Case", "Cases", "read"]

AVAILABLE = ("done", "reused")
NAME = 120
"""Characters of a case's name that are shown."""
READ = {
    "sae": ("quality",),
    "feature-acts": ("quality",),
    "labels": ("table",),
    "effects": ("table", "effects_by_feature"),
    "verdicts": ("table",),
}
"""Artifact type -> the tables that are read."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One of those compared: a run, or a cell of one."""

    name: str
    page: str
    source: Source
    steps: Mapping[str, Mapping[str, Any]]
    """What the run's record says of each step."""
    missing: Mapping[str, str]
    """Step -> why its artifact cannot be read."""
    verdicts: tuple[Verdict, ...]
    """In the order of its study."""
    kinds: Mapping[str, int]
    """Kind -> features of the first labelling."""


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """Everything that the page is made from."""

    cases: tuple[Case, ...]
    """In the order of the grid, then as given."""
    grid: Grid
    frame: pl.DataFrame
    """A row for each case: `cell`, its parameters, and what was measured."""

    def without(self, fields: Collection[str]) -> Cases:
        """The same cases on the grid of the other parameters."""
        return replace(self, grid=self.grid.without(fields)) if fields else self

    def places(self) -> pl.DataFrame:
        """(cell, parameters) of every case."""
        return self.frame.select("cell", *(each.field for each in self.grid.parameters))


def read(compared: Sequence[Compared]) -> Cases:
    """What is known of all of them; what cannot be read is named, not left out."""
    names = [harmless(each.name, NAME) for each in compared]
    grid = grid_of(names, [each.differences for each in compared])
    cases = [_case(name, each) for name, each in zip(names, compared, strict=True)]
    order = sorted(range(len(cases)), key=lambda i: grid.order(i))
    placed = grid.rows()
    columns = {each.field: each.dtype for each in grid.parameters}
    rows = [
        {"cell": names[i], **placed[i], **measures(cases[i].source, cases[i].verdicts)}
        for i in order
    ]
    frame = pl.DataFrame(rows, {"cell": pl.String(), **columns, **SCHEMA}, orient="row")
    return Cases(tuple(cases[i] for i in order), grid, frame)


def _case(name: str, compared: Compared) -> Case:
    run = compared.run
    cell: Mapping[str, Any] = run.record["cells"][run.cell]
    missing: dict[str, str] = {}
    stored = tuple(_readable(compared, cell["steps"], missing))
    source = Source(cell["study"], stored, ReportParams())
    judged, counts = verdicts(source), kinds(source)
    return Case(name, compared.page, source, cell["steps"], missing, judged, counts)


def _readable(
    compared: Compared, steps: Mapping[str, Mapping[str, Any]], missing: dict[str, str]
) -> Iterator[Stored]:
    """The artifacts that are there; why not, of the others."""
    for step, entry in steps.items():
        if entry["status"] not in AVAILABLE:
            missing[step] = _why(entry)
            continue
        try:
            yield Stored(step, _verified(compared.run[step]))
        except StudyError as error:
            missing[step] = str(error)


def _verified(artifact: Artifact) -> Artifact:
    """The artifact, what is read of it proved to be as it was written."""
    for name in READ.get(artifact.manifest.type, ()):
        if name in artifact.table_names:
            artifact.file(f"{name}.parquet")
    return artifact


def _why(entry: Mapping[str, Any]) -> str:
    reasons = entry.get("error") or "; ".join(entry.get("reasons", ()))
    return f"{entry['status']} ({reasons})" if reasons else str(entry["status"])
