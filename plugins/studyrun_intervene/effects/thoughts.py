"""The effect `thoughts`: how far each later thought moves."""

from __future__ import annotations

import torch
from torch.nn.functional import cosine_similarity

from studyrun import Asked, NoParams, Reading, Runs

__all__ = ["measure"]


def measure(runs: Runs, asked: Asked, params: NoParams) -> Reading:  # noqa: ARG001
    """Of every run its `MEASURES`; h is a thought's state after the final norm, which is fed on.

    In a model that does not think, the "thoughts" are the edited token and the last one.
    """
    assert runs.states is not None
    assert runs.clean_states is not None
    after, before = runs.states.double(), runs.clean_states.double()
    norm = torch.linalg.vector_norm(before, dim=2)
    shift = torch.linalg.vector_norm(after - before, dim=2) / norm
    same = (after == before).all(2)  # a cosine of equal vectors is 1 only up to rounding
    turn = torch.where(same, 0.0, 1 - cosine_similarity(after, before, dim=2)).clamp_min(0)
    values = {
        "thoughts_shift": shift.mean(1),
        "thoughts_turn": turn.mean(1),
        "thought_shift": shift,
        "thought_turn": turn,
    }
    return Reading({name: value.cpu() for name, value in values.items()})
