"""The effect `answer`: how often an edit, made inside the model, changes its greedy answer.

The residual at the site gets the difference decode(z') - decode(z), so the SAE's own error never
enters. Only problems on which that difference is not 0 are asked: on the others the answer cannot
change. The control adds, on the same problems, random directions with the same norm per problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from studyrun import Context, EffectCase, Measurement, SiteEdit
from studyrun_data.answer import read_answer
from studyrun_data.params import AnswerRule
from studyrun_intervene.changes import delta
from studyrun_intervene.intervals import wilson
from studyrun_intervene.params import AnswerEffect

__all__ = ["COLUMNS", "OUTCOMES", "measure"]

COLUMNS = {
    "answer_n": "problems asked, all with a non-zero difference at the site",
    "answer_right_before": "right answers without the edit",
    "answer_right_after": "right answers with the edit",
    "answer_flipped": "answers that were right and are wrong now, or the reverse",
    "answer_changed": "share of problems whose answer is another one; null if none was asked",
    "answer_changed_ci_low": "lower end of its Wilson interval",
    "answer_changed_ci_high": "upper end of its Wilson interval",
    "answer_control_right_after": "right answers with random directions of the same norm",
    "answer_control_flipped": "answer_flipped with random directions of the same norm",
    "answer_control_changed": "answer_changed with random directions of the same norm",
    "answer_control_ci_low": "lower end of its Wilson interval",
    "answer_control_ci_high": "upper end of its Wilson interval",
}
"""What the columns are, in order."""
SHARES = [name for name in COLUMNS if "changed" in name or "_ci_" in name]
SCHEMA = pl.Schema(dict.fromkeys(COLUMNS, pl.UInt32) | dict.fromkeys(SHARES, pl.Float64))
OUTCOMES = pl.Schema(
    {
        "edit": pl.UInt32,
        "problem": pl.UInt32,
        "answer": pl.Float64,
        "before": pl.String,
        "after": pl.String,
        "control": pl.String,
    }
)
"""The evidence: the model's texts, one row per edit (its row in the table) and problem."""


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """One edit on the problems asked."""

    rows: list[int]
    difference: Float[Tensor, "asked d_in"]


def measure(case: EffectCase, params: AnswerEffect, context: Context) -> Measurement:
    """COLUMNS for every edit of the case, and OUTCOMES."""
    asked = [_asked(case, edit, params.problems, context) for edit in case.edits]
    before = _answers_before(case, asked, context)
    outcomes = []
    numbered = context.track(
        enumerate(asked), total=len(asked), label="answering under edits", unit="edits"
    )
    for index, each in numbered:
        outcomes += _outcomes(case, index, each, before, context)
    table = pl.DataFrame(outcomes, OUTCOMES, orient="row")
    rows = [_row(case, table.filter(pl.col("edit") == index)) for index in range(len(asked))]
    return Measurement(pl.DataFrame(rows, SCHEMA), {"outcomes": table})


def _asked(case: EffectCase, edit: tuple[int, ...], most: int, context: Context) -> _Asked:
    """Up to `most` of the problems that the edit touches, drawn by the seed, in order."""
    difference = delta(case, edit)
    touched = (difference != 0).any(1).nonzero()[:, 0].cpu()
    drawn = torch.randperm(len(touched), generator=context.generator("answered problems"))
    rows = touched[drawn[:most]].sort().values
    return _Asked(rows.tolist(), difference[rows.to(difference.device)])


def _answers_before(case: EffectCase, asked: Sequence[_Asked], context: Context) -> dict[int, str]:
    """The answers without an edit, by row, each asked once."""
    rows = sorted({row for each in asked for row in each.rows})
    questions = case.problems["question"][rows].to_list()
    answers = context.model().answers(questions, context) if rows else []
    return dict(zip(rows, answers, strict=True))


def _outcomes(
    case: EffectCase, index: int, asked: _Asked, before: dict[int, str], context: Context
) -> list[tuple[int, int, float | None, str, str, str]]:
    """One edit's rows of OUTCOMES; edit and control are answered in one go."""
    if not asked.rows:
        return []
    problems = case.problems[asked.rows]
    generator = context.generator("random directions of answers")
    random = torch.randn(asked.difference.shape, generator=generator).to(asked.difference)
    norm = torch.linalg.vector_norm(asked.difference, dim=1, keepdim=True)
    both = torch.cat([asked.difference, norm * normalize(random, dim=1)])
    edit = SiteEdit(case.layer, case.position, both)
    texts = context.model().answers(problems["question"].to_list() * 2, context, edit)
    n = len(asked.rows)
    columns = (problems["problem"], problems["answer"], asked.rows, texts[:n], texts[n:])
    return [
        (index, problem, answer, before[row], after, control)
        for problem, answer, row, after, control in zip(*columns, strict=True)
    ]


def _row(case: EffectCase, outcomes: pl.DataFrame) -> dict[str, int | float | None]:
    known = outcomes["answer"].to_list()
    before, after, control = (
        [_reading(text, case.answer_rule) for text in outcomes[name]]
        for name in ("before", "after", "control")
    )
    return {
        "answer_n": len(known),
        "answer_right_before": sum(_right(before, known)),
        "answer_right_after": sum(_right(after, known)),
        "answer_flipped": _differ(_right(before, known), _right(after, known)),
        **_share("answer_changed", "answer_changed", before, after, case.confidence),
        "answer_control_right_after": sum(_right(control, known)),
        "answer_control_flipped": _differ(_right(before, known), _right(control, known)),
        **_share("answer_control_changed", "answer_control", before, control, case.confidence),
    }


def _reading(text: str, rule: str) -> float | str:
    """The number that the text gives, or the text where it gives none."""
    number = read_answer(text, cast(AnswerRule, rule))
    return text.strip() if number is None else number


def _right(readings: Sequence[float | str], known: Sequence[float | None]) -> list[bool]:
    """Whether each is the known answer to 1e-6 relative; False where none is known."""
    pairs = zip(readings, known, strict=True)
    return [
        isinstance(reading, float)
        and answer is not None
        and abs(reading - answer) <= 1e-6 * max(1.0, abs(answer))
        for reading, answer in pairs
    ]


def _differ(first: Sequence[object], second: Sequence[object]) -> int:
    return sum(one != other for one, other in zip(first, second, strict=True))


def _share(
    name: str,
    prefix: str,
    before: Sequence[object],
    after: Sequence[object],
    confidence: float,
) -> dict[str, int | float | None]:
    """The share of answers that differ, with its interval; nothing where none was asked."""
    if not before:
        return {name: None}
    changed, n = _differ(before, after), len(before)
    low, high = wilson(changed, n, confidence)
    return {name: changed / n, f"{prefix}_ci_low": low, f"{prefix}_ci_high": high}
