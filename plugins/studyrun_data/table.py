"""The `problems` artifact: its tables, and the way from records to them and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

import polars as pl

from studyrun import Context, Result
from studyrun_data import columns
from studyrun_data.lines import BadLine
from studyrun_data.params import AnswerRule
from studyrun_data.problem import Calculation, Problem, Reading

__all__ = [
    "MALFORMED",
    "PROBLEMS",
    "malformed_table",
    "problems_artifact",
    "problems_of",
    "table_of",
]

FIELDS = tuple(field.name for field in fields(Calculation))
PROBLEMS = columns.PROBLEMS.schema()
MALFORMED = columns.MALFORMED.schema()


def table_of(problems: Sequence[Problem]) -> pl.DataFrame:
    """The problems as a frame of the schema `PROBLEMS`, in the same order."""
    return pl.DataFrame([_row(problem) for problem in problems], schema=PROBLEMS, orient="row")


def problems_of(table: pl.DataFrame) -> tuple[Problem, ...]:
    """The problems of such a frame; `problems_of(table_of(p)) == p`."""
    return tuple(_problem(row) for row in table.select(PROBLEMS.names()).iter_rows(named=True))


def malformed_table(readings: Sequence[Reading], bad: Sequence[BadLine] = ()) -> pl.DataFrame:
    """What could not be read, in the order of the problems, then the lines left out."""
    rows = [
        {"id": reading.problem.id, **asdict(malformed)}
        for reading in readings
        for malformed in reading.malformed
    ]
    rows += [
        {"id": "", "place": f"line {line.number}", "text": line.text, "reason": line.reason}
        for line in bad
    ]
    return pl.DataFrame(rows, schema=MALFORMED, orient="row")


def problems_artifact(
    readings: Sequence[Reading],
    answers: AnswerRule,
    context: Context,
    bad: Sequence[BadLine] = (),
) -> Result:
    """What a data set hands to the runner; whatever could not be read is also noted there.

    Args:
        readings: the problems with their splits.
        answers: the rule by which a model's text is read, kept as `meta["answers"]`.
        context: where the note goes.
        bad: lines that the study chose to list and leave out.
    """
    concerned = sum(bool(reading.malformed) for reading in readings)
    parts = sum(len(reading.malformed) for reading in readings)
    if parts:
        context.note(
            f"{parts} parts could not be read or contradict themselves, in {concerned} of "
            f"{len(readings)} problems; the table `malformed` lists them"
        )
    if bad:
        context.note(f"{len(bad)} lines cannot be used and are left out; `malformed` lists them")
    malformed = malformed_table(readings, bad)
    meta = {"n": len(readings), "n_malformed": len(malformed), "answers": answers}
    table = table_of([reading.problem for reading in readings])
    return Result(tables={"table": table, "malformed": malformed}, meta=meta)


def _row(problem: Problem) -> dict[str, Any]:
    row = {name: getattr(problem, name) for name in PROBLEMS.names() if name != "n_steps"}
    steps = [{name: getattr(step, name) for name in FIELDS} for step in problem.steps]
    return {**row, "steps": steps, "n_steps": len(steps)}


def _problem(row: dict[str, Any]) -> Problem:
    values = {name: row[name] for name in PROBLEMS.names() if name not in ("steps", "n_steps")}
    return Problem(steps=tuple(_calculation(step) for step in row["steps"]), **values)


def _calculation(row: dict[str, Any]) -> Calculation:
    return Calculation(
        row["expression"], tuple(row["operands"]), tuple(row["operators"]), row["result"]
    )
