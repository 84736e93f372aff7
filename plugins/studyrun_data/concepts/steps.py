"""Concepts of how many steps a solution has."""

from __future__ import annotations

import polars as pl

from studyrun import Concept
from studyrun_data.concepts.params import Steps
from studyrun_data.concepts.support import supported

__all__ = ["steps"]


def steps(problems: pl.DataFrame, params: Steps) -> list[Concept]:
    """`3 steps`, `at least 3 steps`: for every number that enough problems have.

    The parts of both are `at least` of the same number and of every smaller one.
    """
    n_steps = pl.col("steps").list.len()
    counts = problems.select(n_steps.drop_nulls().unique().sort()).to_series().to_list()
    least = {n: f"at least {_steps(n)}" for n in counts}
    concepts = []
    for n in counts:
        below = [least[m] for m in counts if m < n]
        if "exactly" in params.counts:
            concepts.append(Concept(_steps(n), "steps", n_steps == n, (*below, least[n])))
        if "at-least" in params.counts:
            concepts.append(Concept(least[n], "steps", n_steps >= n, tuple(below)))
    return supported(problems, concepts, params.min_support)


def _steps(n: int) -> str:
    return "1 step" if n == 1 else f"{n} steps"
