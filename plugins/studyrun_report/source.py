"""What a report is written from: the study's record and the artifacts before the step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from studyrun import Artifact
from studyrun_report.params import ReportParams

__all__ = ["Source", "Stored"]


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """One artifact with the name of the step that made it."""

    step: str
    artifact: Artifact

    @property
    def slug(self) -> str:
        """The step's name as it may stand in an id or a file's name."""
        return re.sub(r"[^A-Za-z0-9_-]", "-", self.step)

    @property
    def type(self) -> str:
        """The artifact's type."""
        return self.artifact.manifest.type

    @property
    def table(self) -> pl.DataFrame | None:
        """The main table, if there is one."""
        return self.other("table")

    def other(self, name: str) -> pl.DataFrame | None:
        """The table of that name, if there is one."""
        return self.artifact.read_table(name) if name in self.artifact.table_names else None

    def having(self, name: str, *columns: str) -> pl.DataFrame | None:
        """The table of that name, if it is there with these columns and holds any row."""
        found = self.other(name)
        fits = found is not None and set(columns) <= set(found.columns) and found.height > 0
        return found if fits else None

    def has(self, *columns: str, table: str = "table") -> bool:
        """Whether the table is there with these columns, or with any others if none is named."""
        found = self.other(table)
        return found is not None and set(columns) <= set(found.columns)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Everything that the step was given."""

    study: Mapping[str, Any]
    stored: tuple[Stored, ...]
    """In the order of the study."""
    params: ReportParams

    def of_type(self, *types: str) -> Iterator[Stored]:
        """The artifacts of these types, in order."""
        return (each for each in self.stored if each.type in types)

    def named(self, stored: Stored, title: str) -> str:
        """The title, with the step's name where several steps made such an artifact."""
        several = sum(1 for _ in self.of_type(stored.type)) > 1
        return f"{title} ({stored.step})" if several else title

    @property
    def steps(self) -> Mapping[str, Mapping[str, Any]]:
        """The study's steps: name -> {use, version, with}."""
        steps: Mapping[str, Mapping[str, Any]] = self.study.get("steps") or {}
        return steps
