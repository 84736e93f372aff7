"""Parameters of the step `report`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from studyrun import NonNegativeInt, PositiveInt, SectionRef

__all__ = ["ReportParams", "wanted"]

Wanted = Literal["portraits", "coactivation"]


def _wanted() -> list[Wanted]:
    return ["portraits", "coactivation"]


@dataclass(frozen=True)
class ReportParams:
    """How much of the tables the page shows; the tables themselves are always stored whole."""

    title: str | None = None
    """The page's heading; the study's name if left out."""
    pages: bool = True
    """Whether every feature has a page of its own."""
    features: NonNegativeInt = 50
    """How many rows of the table of features stand in `report.md`, labelled ones first."""
    top_problems: NonNegativeInt = 5
    """How many problems are shown of each part of a feature's activations."""
    edits: PositiveInt = 50
    """How many rows of a table of effects are shown: few edits in rank order, many by size."""
    rows: PositiveInt = 10
    """How many rows are shown of a table that the report has no section for."""
    sections: list[SectionRef] = field(default_factory=list)
    """Sections of third parties, in the order shown, before the limits."""
    wants: list[Wanted] = field(default_factory=_wanted)
    """Steps that are run with their defaults where the study has none of them."""


def wanted(params: ReportParams) -> Iterable[str]:
    """The steps whose results the report shows if they are there."""
    return params.wants
