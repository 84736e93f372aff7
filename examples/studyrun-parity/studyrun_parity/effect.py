"""The effect `parity-of-answer`: does the answer that the model is about to write change parity?"""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING

import torch

from studyrun import Reading

if TYPE_CHECKING:
    from torch import Tensor

    from studyrun import Asked, NoParams, Runs

__all__ = ["parity_of_answer"]


def parity_of_answer(runs: Runs, asked: Asked, params: NoParams) -> Reading:  # noqa: ARG001  # fixed
    """Whether the parity of the likeliest first token changed; NaN where one is no whole number."""
    assert runs.logits is not None
    assert runs.clean_logits is not None
    after, before = _even(runs.logits, asked), _even(runs.clean_logits, asked)
    return Reading({"parity_changed": (after - before).abs(), "parity_even_after": after})


def _even(scores: Tensor, asked: Asked) -> Tensor:
    """(runs,) 1 where the likeliest token is an even number, 0 an odd one; NaN for other words."""
    texts = [asked.token(number).strip() for number in scores.argmax(1).tolist()]
    even = [float(int(text) % 2 == 0) if text.isdecimal() else nan for text in texts]
    return torch.tensor(even, dtype=torch.float64)
