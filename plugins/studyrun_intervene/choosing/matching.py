"""Controls by matching: other features that are as often and as strongly active."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["matched_edits"]


def matched_edits(
    features: pl.DataFrame, edits: Sequence[tuple[int, ...]], count: int
) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """For each edit, up to `count` edits of other features that resemble its own.

    Alike means near in (log n_active, log mean |activation| when active), equally weighted; only
    features that are active somewhere are compared. A feature that never is has no match.
    """
    place = _places(features)
    return tuple(tuple(_matches(place, edit, count)) for edit in edits)


def _matches(
    place: Float[Tensor, "d_sae 2"], edit: tuple[int, ...], count: int
) -> tuple[tuple[int, ...], ...]:
    """The i-th nearest of each edited feature together; pairs of one feature are passed over."""
    near = [_nearest(place, feature, edit, 2 * count) for feature in edit]
    together = zip(*near, strict=False)
    return tuple(found for found in together if len(set(found)) == len(found))[:count]


def _nearest(
    place: Float[Tensor, "d_sae 2"], feature: int, edit: tuple[int, ...], count: int
) -> list[int]:
    """Up to `count` features that are active somewhere and not edited, nearest first."""
    distance = (place - place[feature]).square().sum(1)
    distance[list(edit)] = torch.nan
    known = int(distance.isfinite().sum())
    nearest = distance.nan_to_num(torch.inf).topk(min(known, count), largest=False)
    return [int(other) for other in nearest.indices]


def _places(features: pl.DataFrame) -> Float[Tensor, "d_sae 2"]:
    """Where each feature lies; not a number for those that are never active."""
    numbers = features.select(
        pl.when(pl.col("n_active") > 0).then(pl.col("n_active").cast(pl.Float64).log()),
        pl.col("mean_abs_when_active").log(),
    )
    return torch.from_numpy(numbers.fill_null(float("nan")).to_numpy().copy())
