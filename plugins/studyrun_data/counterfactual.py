"""The answer that a problem would have if one of its numbers or operations were another.

This is what an exchange of two features has to produce if their labels are right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice

import polars as pl

from studyrun_data.change import Change, change_between
from studyrun_data.concepts.operations import operators_in_order
from studyrun_data.concepts.places import some
from studyrun_data.exchange import Exchanged, exchanged
from studyrun_data.links import Links, numbers_said, readings
from studyrun_data.problem import Calculation
from studyrun_data.shape import evaluate, shape_of
from studyrun_data.table import problems_of

__all__ = ["Change", "change_between", "counterfactual", "counterfactual_answers"]

DIGITS = 12
"""Significant digits of an answer, so that 0.1+0.2 comes to 0.3."""
TOLERANCE = 1e-9
"""By how much a stated result may differ from what its operands give, relative to it."""


def counterfactual(
    steps: Sequence[Calculation],
    change: Change,
    *,
    question: str = "",
    answer: float | None = None,
) -> float | None:
    """The answer that a worked solution comes to once the change is made in all that is given.

    A value changes wherever it is given; an operation changes wherever it stands, and keeps its
    operands (`10-4+3` becomes `(10-4)*3`). Results that depend on it are worked out again, to
    `DIGITS`, and flow on; all others stay as stated. The answer may be the old one (0*12, 0*50).

    What is given is not always certain: an operand that is equal to an earlier result may be that
    result, or a number that the question says as well; one that is equal to two results may be
    either (see `links.readings`). Then every plausible reading must lead to the same answer.

    None where

    - nothing changes: the value is not given, or the operation does not stand there;
    - plausible readings lead to different answers, or one of them to none, or there are too many;
    - the last result is not the answer, or some stated result not what its operands give (a
      rounded one is not);
    - a result that depends on the change is used by no later step: where it leads is not known;
    - the change is `within` an operation, and the value is given in other steps as well: whether it
      is the same number there is not known;
    - it would divide by zero, or become too large for float64.

    Args:
        steps: the solution.
        change: what is exchanged.
        question: its numbers decide what may be given; if empty, any operand may be.
        answer: what the solution must come to, if that is known.
    """
    if not steps or not _is_right(steps, answer):
        return None
    changed = exchanged(steps, change)
    said = numbers_said(question) if question else None
    answers = {_answer(changed, links) for links in readings(steps, said)}
    return answers.pop() if len(answers) == 1 else None


def counterfactual_answers(problems: pl.DataFrame, change: Change) -> pl.Series:
    """The counterfactual answer of each problem, null where there is none.

    Formula: `counterfactual(steps, change, question=question, answer=answer)` of each row.

    Args:
        problems: a frame with the columns `PROBLEMS`.
        change: what is exchanged.
    """
    concerned = problems.select(_occurs(change)).to_series().arg_true()
    answers: list[float | None] = [None] * problems.height
    for row, problem in zip(concerned, problems_of(problems[concerned]), strict=True):
        answers[row] = counterfactual(
            problem.steps, change, question=problem.question, answer=problem.answer
        )
    return pl.Series("counterfactual_answer", answers, dtype=pl.Float64)


def _occurs(change: Change) -> pl.Expr:
    """Whether the solution has the old value as an operand, or the old operation."""
    if isinstance(change.old, str):
        return operators_in_order().str.contains(change.old, literal=True)
    return some("operands", lambda number: number == change.old)


def _is_right(steps: Sequence[Calculation], answer: float | None) -> bool:
    """Whether every step gives what it states, and the last one the answer."""
    return (answer is None or _is_close(steps[-1].result, answer)) and all(
        value is not None and _is_close(value, step.result)
        for step in steps
        for value in [evaluate(shape_of(step), step.operands, step.operators)]
    )


def _is_close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=10.0**-DIGITS)


def _answer(steps: Sequence[Exchanged], links: Links) -> float | None:
    """The last result, with the operands read in one way; None where there is none."""
    results: list[float] = []
    sources, changes = iter(links), False
    for number, each in enumerate(steps):
        operands = _operands(each, islice(sources, len(each.given)), results)
        if (operands, each.operators) == (each.step.operands, each.step.operators):
            results.append(each.step.result)
            continue
        leads_on = number in links or number == len(steps) - 1
        result = _result(each, operands) if leads_on and operands is not None else None
        if result is None:
            return None
        results.append(result)
        changes = True
    return results[-1] if changes else None


def _operands(
    each: Exchanged, links: Iterable[int | None], results: Sequence[float]
) -> tuple[float, ...] | None:
    """What a step is worked out with; None where that is not known."""
    operands = []
    for given, link in zip(each.given, links, strict=True):
        operand = given if link is None else results[link]
        if operand is None:
            return None
        operands.append(operand)
    return tuple(operands)


def _result(each: Exchanged, operands: Sequence[float]) -> float | None:
    """What a step comes to, to so many digits."""
    value = evaluate(shape_of(each.step), operands, each.operators)
    return None if value is None else float(f"{value:.{DIGITS}g}")
