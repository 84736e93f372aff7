"""Held-out quality: one row of numbers per split."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor

from studyrun_sae import columns, metrics
from studyrun_sae.blocks import blocks
from studyrun_sae.sae import SAE

__all__ = ["QUALITY", "quality"]

QUALITY = columns.QUALITY.schema()


def quality(sae: SAE, x: Float[Tensor, "rows d_in"], splits: Sequence[str]) -> pl.DataFrame:
    """QUALITY for every split that occurs, in order of first occurrence; `splits` is per row."""
    rows = []
    for split in dict.fromkeys(splits):
        chosen = torch.tensor([each == split for each in splits], device=x.device)
        rows.append({"split": split, **_row(sae, x[chosen])})
    return pl.DataFrame(rows, QUALITY)


def _row(sae: SAE, x: Float[Tensor, "rows d_in"]) -> dict[str, int | float | None]:
    x_hat = torch.empty_like(x)
    n_active = torch.zeros(sae.d_sae, dtype=torch.int64, device=x.device)
    for rows in blocks(len(x)):
        z = sae.encode(x[rows])
        x_hat[rows] = sae.decode(z)
        n_active += (z != 0).sum(0)
    dead = metrics.n_dead(n_active)
    return {
        "n": len(x),
        **_reconstruction(x, x_hat),
        "l0": int(n_active.sum()) / len(x),
        "dead": dead,
        "dead_share": dead / sae.d_sae,
        "mse": metrics.mse(x, x_hat),
    }


def _reconstruction(
    x: Float[Tensor, "rows d_in"], x_hat: Float[Tensor, "rows d_in"]
) -> dict[str, float | None]:
    """The variance's measures; None for rows that are all alike, where they are undefined."""
    if bool((x == x[0]).all()):
        return dict.fromkeys(("fvu", "explained_variance", "explained_variance_seed"))
    fvu = metrics.fvu(x, x_hat)
    return {
        "fvu": fvu,
        "explained_variance": 1 - fvu,
        "explained_variance_seed": metrics.explained_variance_seed(x, x_hat),
    }
