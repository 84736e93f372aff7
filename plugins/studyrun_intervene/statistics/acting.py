"""An edit's effect on the problems on which it acts, and on all; pure."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["EffectMeans", "effect_means", "on_acting"]


@dataclass(frozen=True, slots=True, eq=False)
class EffectMeans:
    """Mean effects, one per edit."""

    n: Int[Tensor, " edits"]
    """Problems on which the edit acts."""
    acting: Float[Tensor, " edits"]
    """The mean over these; NaN where there is none."""
    every: Float[Tensor, " edits"]
    """The mean over all problems; NaN where there is none."""


def on_acting(
    values: Float[Tensor, "edits problems"], acts: Bool[Tensor, "edits problems"]
) -> Float[Tensor, "edits problems"]:
    """The effects where the edit acts and 0 elsewhere, float64.

    Elsewhere nothing is edited, so what was measured there is noise, or nothing was measured.

    Raises:
        ValueError: an effect on an acting problem is not finite, or too large to be added up.
    """
    kept = torch.where(acts, values.double(), 0.0)
    if not kept.abs().sum(1).isfinite().all():
        raise ValueError("an effect on an acting problem is not a finite number")
    return kept


def effect_means(
    values: Float[Tensor, "edits problems"], acts: Bool[Tensor, "edits problems"]
) -> EffectMeans:
    """The mean effect of every edit, over acting problems and over all.

        acting_e = sum_p a_ep v_ep / sum_p a_ep,    every_e = sum_p a_ep v_ep / P

    Raises:
        ValueError: an effect on an acting problem is not finite.
    """
    total, n = on_acting(values, acts).sum(1), acts.sum(1)
    return EffectMeans(n, total / n, total / acts.shape[1])
