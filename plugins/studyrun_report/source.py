"""What a report is written from: the study's record and the artifacts before the step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from studyrun import Artifact, Bound
from studyrun_report.params import ReportParams

__all__ = ["Source", "Stored", "slug"]

SAE = ("layer", "position", "d_sae", "k")
"""What artifacts say of the SAE that they were made of."""


def slug(name: str) -> str:
    """A name as it may stand in an id or a file's name."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """One artifact with the name of the step that made it."""

    step: str
    artifact: Artifact

    @property
    def slug(self) -> str:
        """The step's name as it may stand in an id or a file's name."""
        return slug(self.step)

    @property
    def type(self) -> str:
        """The artifact's type."""
        return self.artifact.manifest.type

    @property
    def problems(self) -> str:
        """`7473 problems, training included`, `1495 validation problems`; as far as it is said."""
        meta = self.artifact.meta
        many = meta.get("n_problems")
        split = "" if meta.get("split") in (None, "all") else f"{meta['split']} "
        trained = ", training included" if meta.get("split") == "all" else ""
        return f"{many} {split}problems{trained}" if many is not None else f"the {split}problems"

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
        if table not in self.artifact.table_names:
            return False
        file = self.artifact.file(f"{table}.parquet")
        return set(columns) <= set(pl.read_parquet_schema(file))  # the head alone: asked often


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Everything that the step was given."""

    study: Mapping[str, Any]
    stored: tuple[Stored, ...]
    """In the order of the study."""
    params: ReportParams
    custom: tuple[Bound, ...] = ()
    """Sections of third parties, with their parameters."""

    def of_type(self, *types: str) -> Iterator[Stored]:
        """The artifacts of these types, in order."""
        return (each for each in self.stored if each.type in types)

    def named(self, stored: Stored, title: str) -> str:
        """The title, with the step's name where several steps made such an artifact."""
        several = sum(1 for _ in self.of_type(stored.type)) > 1
        return f"{title} ({stored.step})" if several else title

    def beside(self, stored: Stored, *types: str) -> Stored | None:
        """The artifact of these types made of the same SAE, as far as anything says so.

        The last one before `stored` if several; the first one if all come after it.
        """
        alike = [each for each in self.of_type(*types) if _agree(each, stored)]
        own = self._needs(stored)
        alike = [each for each in alike if own and self._needs(each) == own] or alike
        place = self.stored.index(stored)
        before = [each for each in alike if self.stored.index(each) < place]
        return next(iter(before[-1:] or alike), None)

    def _needs(self, stored: Stored) -> list[str]:
        """The steps that the study says it reads."""
        needs = (self.steps.get(stored.step) or {}).get("needs") or []
        return sorted(map(str, needs)) if isinstance(needs, list) else []

    @property
    def steps(self) -> Mapping[str, Mapping[str, Any]]:
        """The study's steps: name -> {use, version, with}."""
        steps: Mapping[str, Mapping[str, Any]] = self.study.get("steps") or {}
        return steps


def _agree(one: Stored, other: Stored) -> bool:
    """Whether what both say of their SAE is the same."""
    ours, theirs = one.artifact.meta, other.artifact.meta
    return all(ours[name] == theirs[name] for name in SAE if name in ours and name in theirs)
