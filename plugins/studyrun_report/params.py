"""Parameters of the step `report`."""

from __future__ import annotations

from dataclasses import dataclass

from studyrun import NonNegativeInt, PositiveInt

__all__ = ["ReportParams"]


@dataclass(frozen=True)
class ReportParams:
    """How much of the tables the page shows; the tables themselves are always stored whole."""

    title: str | None = None
    """The page's heading; the study's name if left out."""
    features: NonNegativeInt = 50
    """How many labelled features are shown, most certain first."""
    top_problems: NonNegativeInt = 5
    """How many problems are shown for each of them."""
    edits: PositiveInt = 50
    """How many rows of a table of effects are shown: few edits in rank order, many by size."""
    rows: PositiveInt = 10
    """How many rows are shown of a table that the report has no section for."""
