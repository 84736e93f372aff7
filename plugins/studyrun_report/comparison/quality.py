"""Quality: how well the SAEs reconstruct, over the grid."""

from __future__ import annotations

from studyrun_report.blocks import Section
from studyrun_report.comparison.cases import Cases
from studyrun_report.comparison.measures import EXPLAINED, Measure
from studyrun_report.comparison.pictures import over_grid
from studyrun_report.comparison.scaling import alone

__all__ = ["section"]

MEASURES = (
    EXPLAINED,
    Measure("fvu", "FVU"),
    Measure("l0", "L0"),
    Measure("dead_share", "Dead share", "share"),
)


def section(cases: Cases) -> Section | None:
    """A picture for each measure that any two cells have."""
    drawn = [each for each in MEASURES if not (each is EXPLAINED and alone(cases.grid))]
    blocks = tuple(
        block
        for each in drawn
        for block in over_grid(cases, cases.frame, each, f"quality-{each.column}")
    )
    lead = (
        "On problems that the SAE was not trained on. Explained variance is 1 - FVU; L0 is the "
        "mean number of active features; dead features are active on none of these problems. The "
        "shading of a map begins at its smallest value, so compare numbers, not only tones."
    )
    return Section("quality", "SAE quality", blocks, lead) if blocks else None
