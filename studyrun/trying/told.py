"""Whether steps store the tables that they tell of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from studyrun.artifacts import Artifact
    from studyrun.columns import Table
    from studyrun.contracts import Bound
    from studyrun.registry import Registry
    from studyrun.runs import Run

__all__ = ["bound_steps", "broken_promises"]


def broken_promises(run: Run, registry: Registry) -> Iterator[str]:
    """Every table that is not as its step tells: missing, or with other columns."""
    for step, bound in bound_steps(run, registry):
        artifact = run[step]
        for name, table in registry.tables(bound).items():
            if name not in artifact.table_names:
                yield f"{step}: tells of the table {name!r}, and stored none"
            else:
                yield from _differences(step, name, table, artifact)


def bound_steps(run: Run, registry: Registry) -> Iterator[tuple[str, Bound]]:
    """The steps of a run that have an artifact, with their components; variants aside."""
    study = run.study
    if study.data is not None and "data" in run:
        yield "data", registry.bind("data", study.data.ref, study.folder)
    for step in study.steps:
        if step.name in run:
            yield step.name, registry.bind("step", step.use.ref, study.folder)
    if "verdicts" in run:
        yield "verdicts", registry.bind("step", "verdicts")


def _differences(step: str, name: str, told: Table, artifact: Artifact) -> Iterator[str]:
    stored = {column: str(dtype) for column, dtype in artifact.read_table(name).schema.items()}
    for column, dtype in told.columns.items():
        if column not in stored:
            yield f"{step}: table {name!r} has no column {column!r}, of which the step tells"
        elif stored[column] != dtype:
            yield f"{step}: table {name!r} has {column!r} as {stored[column]}, not as {dtype}"
    for column in stored.keys() - told.columns.keys() if not told.open else ():
        yield f"{step}: table {name!r} has a column {column!r}, of which the step does not tell"
