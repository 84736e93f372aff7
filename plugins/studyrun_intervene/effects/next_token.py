"""The effect `next-token`: the distribution of the answer's first token, before and after."""

from __future__ import annotations

import torch
from torch import Tensor

from studyrun import Asked, NoParams, Reading, Runs
from studyrun_intervene.measures import MEASURES

__all__ = ["measure"]

NAMES = [each.name for each in MEASURES["next-token"]]
AT_ONCE = 2**24
"""Numbers of float64 at a time."""


def measure(runs: Runs, asked: Asked, params: NoParams) -> Reading:  # noqa: ARG001
    """Of every run its `MEASURES`; NaN for what needs a right answer where none is known.

        KL(p || q) = sum_t p(t) (log p(t) - log q(t))

    with p the clean distribution and q the edited one, computed in float64.
    """
    assert runs.logits is not None
    assert runs.clean_logits is not None
    size = max(1, AT_ONCE // runs.logits.shape[1])
    parts = [
        _part(
            runs.logits[i : i + size], runs.clean_logits[i : i + size], asked.targets[i : i + size]
        )
        for i in range(0, len(runs.logits), size)
    ]
    return Reading(dict(zip(NAMES, torch.cat(parts, 1), strict=True)))


def _part(logits: Tensor, clean: Tensor, targets: Tensor) -> Tensor:
    """(measures, runs), on CPU."""
    after, before = (scores.double().log_softmax(1) for scores in (logits, clean))
    kl = (before.exp() * (before - after)).sum(1).clamp_min(0)
    known = targets >= 0
    at = targets.clamp_min(0).to(logits.device)[:, None]
    change = (after.gather(1, at) - before.gather(1, at))[:, 0]
    rank = _rank(after, at) - _rank(before, at)
    found = torch.stack([kl, change, rank]).cpu()
    found[1:, ~known] = torch.nan
    return found


def _rank(log_probs: Tensor, at: Tensor) -> Tensor:
    """1 + how many tokens are more likely."""
    return 1.0 + (log_probs > log_probs.gather(1, at)).double().sum(1)
