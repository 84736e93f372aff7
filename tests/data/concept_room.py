"""What the tests of concepts share: tables from solutions, and plain Python as the oracle."""

from __future__ import annotations

import polars as pl

from studyrun_data.problem import Problem
from studyrun_data.solution import read_solution
from studyrun_data.table import table_of


def table(*solutions: str, answers: list[float | None] | None = None) -> pl.DataFrame:
    return table_of(
        [
            Problem(f"p{i}", "q", text, read_solution(text).steps, answer, "train")
            for i, (text, answer) in enumerate(
                zip(solutions, answers or [None] * len(solutions), strict=True)
            )
        ]
    )


def holds(problems: pl.DataFrame, concepts) -> dict[str, list[bool]]:
    """Concept -> for each problem whether it holds."""
    found = problems.select(concept.expr.alias(concept.name) for concept in concepts)
    return found.to_dict(as_series=False)


def run_of(problem: Problem) -> str:
    """The operators in reading order."""
    return "".join(operator for step in problem.steps for operator in step.operators)


def numbers_of(problem: Problem, where: str) -> set[float]:
    """The numbers at a place."""
    operands = {n for step in problem.steps for n in step.operands}
    results = [step.result for step in problem.steps]
    return {
        "anywhere": operands | set(results),
        "operands": operands,
        "results": set(results),
        "intermediate": set(results[:-1]),
        "answer": {problem.answer} - {None},
    }[where]


def supported(found: dict[str, list[bool]], min_support: int) -> dict[str, list[bool]]:
    """Those that hold often enough, and fail often enough."""
    return {
        name: held
        for name, held in found.items()
        if sum(held) >= min_support and len(held) - sum(held) >= min_support
    }
