"""The effect `logit-lens`: which tokens each later thought decodes to, before and after.

The head is applied to a thought's state after the final norm, as to a token that is to be written
(nostalgebraist 2020, "interpreting GPT: the logit lens").
"""

from __future__ import annotations

import torch
from torch import Tensor

from studyrun import Asked, Reading, Runs
from studyrun_intervene.params import LensEffect

__all__ = ["measure"]


def measure(runs: Runs, asked: Asked, params: LensEffect) -> Reading:
    """Of every run its `MEASURES`, and the k likeliest tokens of every thought as text."""
    assert runs.states is not None
    assert runs.clean_states is not None
    after, before = (_likeliest(s, asked, params.k) for s in (runs.states, runs.clean_states))
    changed = (after[..., 0] != before[..., 0]).double()
    kept = (after[..., None] == before[..., None, :]).any(-1).double().mean(-1)
    values = {
        "lens_changed": changed.mean(1),
        "lens_overlap": kept.mean(1),
        "thought_lens_changed": changed,
    }
    texts = {"before": _texts(before, runs, asked), "after": _texts(after, runs, asked)}
    return Reading(values, texts)


def _likeliest(states: Tensor, asked: Asked, k: int) -> Tensor:
    """(runs, places, k) tokens, on CPU."""
    places = [asked.scores(states[:, place]) for place in range(states.shape[1])]
    most = min(k, places[0].shape[-1])
    return torch.stack([each.float().topk(most, dim=-1).indices.cpu() for each in places], 1)


def _texts(tokens: Tensor, runs: Runs, asked: Asked) -> list[str]:
    """`3: 65 64 66 | 4: ...` for every run."""
    return [
        " | ".join(
            f"{place}: {' '.join(map(asked.token, row))}"
            for place, row in zip(runs.places, rows, strict=True)
        )
        for rows in tokens.tolist()
    ]
