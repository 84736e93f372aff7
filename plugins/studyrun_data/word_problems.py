"""Generated word problems: `studyrun_data.generator` as a data set, with contrast pairs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, cycle, islice

import polars as pl

from studyrun import Context, Result, StudyError
from studyrun_data import generator
from studyrun_data.generator import WordProblem
from studyrun_data.params import WordProblems
from studyrun_data.problem import Problem, Reading
from studyrun_data.solution import read_solution
from studyrun_data.split import divided, draw
from studyrun_data.table import problems_artifact

__all__ = ["load", "make", "pairs"]

HELD_OUT = {"any": None, "only": True, "exclude": False}
TRIES = 2_000
"""How many problems in a row may have no partner."""


def make(params: WordProblems, seed: int) -> list[WordProblem]:
    """The problems; where pairs are asked for, partners follow each other.

    Raises:
        ValueError: there are not so many such problems.
    """
    if params.contrast_operations or params.contrast_values:
        wanted = islice(pairs(params, seed), params.problems // 2)
        return list(chain.from_iterable(wanted))
    return generator.generate(
        params.problems,
        seed,
        steps=params.steps,
        operators=params.operations,
        values=params.values,
        held_out=HELD_OUT[params.held_out],
    )


def pairs(params: WordProblems, seed: int) -> Iterator[tuple[WordProblem, WordProblem]]:
    """Endless contrast pairs, balanced over the numbers of steps; no question comes twice.

    Raises:
        ValueError: no further pair was found.
    """
    rng, seen = random.Random(f"contrast {seed}"), set[str]()
    sources = [_with_partner(params, seed, n_steps, rng) for n_steps in params.steps]
    for source in cycle(sources):
        for pair in source:
            questions = {problem.question for problem in pair}
            if seen.isdisjoint(questions):
                seen |= questions
                yield pair
                break


def load(params: WordProblems, context: Context) -> Result:
    """The generated problems, in an order that mixes the numbers of steps.

    Contrast pairs add a column `pair` (u32) to the table.

    Raises:
        StudyError: there are not so many such problems.
    """
    seed = context.seed if params.seed is None else params.seed
    try:
        problems = make(params, seed)
    except ValueError as error:
        cure = "ask for fewer problems, or allow more operations, steps or values"
        raise StudyError(f"word-problems: {error}; {cure}") from error
    size = 2 if params.contrast_operations or params.contrast_values else 1
    units = draw(len(problems) // size, params.validation, seed)
    validation = [size * unit + member for unit in units for member in range(size)]
    readings = [_reading(number, problem) for number, problem in enumerate(problems)]
    artifact = problems_artifact(divided(readings, validation), params.answers, context)
    return _paired(artifact) if size == 2 else artifact


def _reading(number: int, problem: WordProblem) -> Reading:
    question, text, answer = problem.question, problem.solution, float(problem.answer)
    read = read_solution(text, "plain")
    return Reading(
        Problem(f"word_{number}", question, text, read.steps, answer, "train"), read.malformed
    )


def _paired(artifact: Result) -> Result:
    table = artifact.tables["table"]
    pair = pl.int_range(pl.len(), dtype=pl.UInt32) // 2
    return replace(artifact, tables={**artifact.tables, "table": table.with_columns(pair=pair)})


def _with_partner(
    params: WordProblems, seed: int, n_steps: int, rng: random.Random
) -> Iterator[tuple[WordProblem, WordProblem]]:
    """Problems of `n_steps` steps that have a partner which is also as the study wants it."""
    tries = 0
    for problem in _candidates(params, seed, n_steps):
        partner = _partner(problem, params, rng)
        if partner is not None and _is_wanted(partner, params):
            tries = 0
            yield problem, partner
        elif (tries := tries + 1) == TRIES:
            raise ValueError(f"no further contrast pair with {n_steps} steps in {TRIES} tries")


def _candidates(params: WordProblems, seed: int, n_steps: int) -> Iterator[WordProblem]:
    return generator.stream(
        seed,
        steps=[n_steps],
        operators=params.operations,
        values=[*params.values, *(params.contrast_values or [])[:1]],
        held_out=HELD_OUT[params.held_out],
    )


def _partner(problem: WordProblem, params: WordProblems, rng: random.Random) -> WordProblem | None:
    if params.contrast_operations:
        old, new = params.contrast_operations
        return generator.contrast(problem, rng, operator=(old, new))
    if params.contrast_values:
        before, after = params.contrast_values
        return generator.contrast(problem, rng, value=(before, after))
    return None


def _is_wanted(partner: WordProblem, params: WordProblems) -> bool:
    """Whether a partner contains the values and is held out, as the study asks."""
    numbers = {n for step in partner.steps for n in (step.left, step.right, step.result)}
    held_out = HELD_OUT[params.held_out]
    return numbers.issuperset(params.values) and (
        held_out is None or generator.is_held_out(partner) == held_out
    )
