"""Dead features that start anew, towards what is explained badly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from studyrun_sae.sae import WEIGHTS

__all__ = ["entries_of", "resample"]

ENCODER = 0.2
"""Of the living features' mean encoder norm: small, so that little changes at once."""


@torch.no_grad()
def resample(
    weights: dict[str, Tensor],
    dead: Bool[Tensor, " d_sae"],
    x: Float[Tensor, "rows d_in"],
    error: Float[Tensor, " rows"],
    generator: torch.Generator,
    pre_bias: bool = True,
) -> None:
    """Give every dead feature the direction of a row, in place (Bricken et al. 2023, appendix).

    Rows are drawn with probability in proportion to the square of their loss. What else is learnt
    of a feature becomes what it is on average.

    Args:
        weights: what is learnt.
        dead: the features; not all of them.
        x: rows to draw from.
        error: |x - x_hat|^2 of each.
        generator: on CPU.
        pre_bias: whether b_dec is subtracted before encoding.
    """
    chances = error.double().square().cumsum(0).cpu()
    drawn = torch.rand(int(dead.sum()), generator=generator, dtype=torch.float64) * chances[-1]
    rows = torch.searchsorted(chances, drawn).clamp(max=len(x) - 1).to(x.device)
    direction = normalize(x[rows] - weights["b_dec"], dim=1)
    size = torch.linalg.vector_norm(weights["W_enc"][:, ~dead], dim=0).mean()
    weights["W_dec"][dead] = direction
    weights["W_enc"][:, dead] = ENCODER * size * direction.T
    weights["b_enc"][dead] = 0.0 if pre_bias else -(weights["b_dec"] @ weights["W_enc"][:, dead])
    for name in weights.keys() - {*WEIGHTS}:
        weights[name][dead] = weights[name][~dead].mean()


def entries_of(dead: Bool[Tensor, " d_sae"], weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Where those features stand in each of the weights, as an index; b_dec is of none."""
    where: dict[str, Any] = {name: dead for name in weights if name != "b_dec"}
    return where | {"W_enc": (slice(None), dead)}
