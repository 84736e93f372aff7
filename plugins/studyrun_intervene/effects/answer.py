"""The effect `answer`: the model's greedy answer, before and after, read by the data's rule."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import cast

import torch

from studyrun import Asked, NoParams, Reading, Runs
from studyrun_data.answer import read_answer
from studyrun_data.params import AnswerRule
from studyrun_intervene.measures import MEASURES

__all__ = ["measure"]

NAMES = [each.name for each in MEASURES["answer"]]
Given = float | str


def measure(runs: Runs, asked: Asked, params: NoParams) -> Reading:  # noqa: ARG001
    """Of every run its `MEASURES`; NaN where the right or the expected answer is not known.

    Answers are compared as numbers where the rule finds one, to 1e-6 relative, else as texts.
    """
    assert runs.answers is not None
    assert runs.clean_answers is not None
    after = [_reading(text, asked.answer_rule) for text in runs.answers]
    before = [_reading(text, asked.answer_rule) for text in runs.clean_answers]
    rows = [_row(*each) for each in zip(before, after, asked.answers, asked.expected, strict=True)]
    columns = torch.tensor(rows, dtype=torch.float64).reshape(-1, len(NAMES)).T
    texts = {"before": runs.clean_answers, "after": runs.answers}
    return Reading(dict(zip(NAMES, columns, strict=True)), texts)


def _reading(text: str, rule: str) -> Given:
    """The number that the text gives, or the text where it gives none."""
    number = read_answer(text, cast(AnswerRule, rule))
    return text.strip() if number is None else number


def _row(
    before: Given, after: Given, right: float | None, expected: float | None
) -> Sequence[float]:
    was, now = _is(before, right), _is(after, right)
    numbers = isinstance(before, float) and isinstance(after, float)
    return (
        float(not _same(before, after)),
        was,
        now,
        nan if right is None else float(was != now),
        cast(float, after) - cast(float, before) if numbers else nan,
        _is(after, expected),
        _nearer(before, after, expected),
    )


def _same(before: Given, after: Given) -> bool:
    """Whether they are the same number to 1e-6 relative, or the same text."""
    return bool(_is(after, before)) if isinstance(before, float) else before == after


def _is(given: Given, number: float | None) -> float:
    """1.0 where it is that number to 1e-6 relative, 0.0 where not; NaN where none is known."""
    if number is None:
        return nan
    return float(isinstance(given, float) and abs(given - number) <= 1e-6 * max(1.0, abs(number)))


def _nearer(before: Given, after: Given, expected: float | None) -> float:
    """1.0 where the answer moved towards the expected number, which the clean one was not."""
    if expected is None or not isinstance(before, float) or _is(before, expected):
        return nan
    return float(isinstance(after, float) and abs(after - expected) < abs(before - expected))
