"""A finished run as the findings that a section is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studyrun.running import tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from studyrun.artifacts import Artifact
    from studyrun.runs import Run

__all__ = ["Found"]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a report would be given of a run; the reports themselves are left out."""

    run: Run

    @property
    def study(self) -> Mapping[str, Any]:
        """The resolved study, without the defaults that a report sees filled in."""
        return self.run.study.plain()

    @property
    def artifacts(self) -> Mapping[str, Artifact]:
        """Step name -> what it made, in the order of the study."""
        every = self.run.items()
        return {name: each for name, each in every if each.manifest.type != "report"}

    def table(self, name: str) -> pl.DataFrame | None:
        """A table by the name that hypotheses know it by; None where there is none."""
        return next(iter(tables.read(self.artifacts, [name]).values()), None)
