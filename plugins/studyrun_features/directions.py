"""Decoder directions: which are near to each other, and what chance would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from scipy.special import betainc
from torch import Tensor

from studyrun_features.active import Floats, Places
from studyrun_features.columns import COSINES, NEIGHBOURS
from studyrun_features.estimate import AT_ONCE

__all__ = ["Nearness", "by_chance", "nearness"]

BINS = 200
"""Of the histogram of cosines, -1 to 1; the spread of random ones is 1 / sqrt(d_in)."""


@dataclass(frozen=True, slots=True, eq=False)
class Nearness:
    """How near decoder directions are to each other."""

    neighbours: pl.DataFrame
    """`NEIGHBOURS`."""
    nearest: pl.DataFrame
    """(feature, max_cosine, nearest), every feature; null where it has no length or no other."""
    cosines: pl.DataFrame
    """`COSINES` of all pairs of directions that have a length, and of random ones."""


def nearness(W_dec: Float[Tensor, "d_sae d_in"], places: int) -> Nearness:
    """Compare every direction with every other, some rows at a time.

    Memory: a block of cosines, `AT_ONCE` x d_sae.

    Args:
        W_dec: the directions; a row of length 0 has none and is left out.
        places: how many neighbours are told of each.
    """
    lengths = torch.linalg.vector_norm(W_dec.float(), dim=1)
    there = lengths.nonzero()[:, 0]
    unit = W_dec[there].float() / lengths[there, None]
    n, counts = len(there), torch.zeros(BINS, dtype=torch.float64)
    k = min(max(places, 1), max(n - 1, 0))
    found = torch.zeros(n, k, dtype=torch.int64)
    cosine = torch.zeros(n, k)
    for start in range(0, n, AT_ONCE):
        stop = min(start + AT_ONCE, n)
        block = (unit[start:stop] @ unit.T).clamp_(-1, 1)
        counts += _counted(block, start).cpu()
        block[:, start:stop].fill_diagonal_(-2)  # below any cosine: nobody is its own neighbour
        nearest = block.topk(k, dim=1)
        cosine[start:stop], found[start:stop] = nearest.values.cpu(), nearest.indices.cpu()
    features = there.cpu().numpy()
    table = _neighbours(features, features[found.numpy()], cosine.double().numpy())
    first = table.filter(pl.col("place") == 1)
    every = pl.DataFrame({"feature": pl.int_range(len(W_dec), dtype=pl.UInt32, eager=True)})
    first = first.select("feature", max_cosine="cosine", nearest="neighbour")
    return Nearness(
        neighbours=table.filter(pl.col("place") <= places),
        nearest=every.join(first, on="feature", how="left", maintain_order="left"),
        cosines=_histogram(counts.numpy(), n, W_dec.shape[1]),
    )


def _counted(block: Tensor, start: int) -> Tensor:
    """(BINS,) the cosines of a block with later directions: every pair once."""
    stop = start + len(block)
    inside = block[:, start:stop]
    rows, columns = torch.triu_indices(len(block), len(block), offset=1, device=block.device)
    parts = (block[:, stop:].reshape(-1), inside[rows, columns])
    return sum(
        (torch.histc(part, BINS, -1, 1).double() for part in parts if part.numel()),
        torch.zeros(BINS, dtype=torch.float64, device=block.device),
    )


def _neighbours(features: Places, found: Places, cosine: Floats) -> pl.DataFrame:
    n, k = found.shape
    told = {
        "feature": np.repeat(features, k),
        "place": np.tile(np.arange(1, k + 1), n),
        "neighbour": found.ravel(),
        "cosine": cosine.ravel(),
    }
    return pl.DataFrame(told).cast(NEIGHBOURS.schema())


def _histogram(counts: Floats, n: int, d_in: int) -> pl.DataFrame:
    if n < 2:
        return COSINES.schema().to_frame()
    edges = np.arange(BINS + 1) * 2 / BINS - 1
    expected = by_chance(edges, d_in) * n * (n - 1) / 2
    ends = {"low": edges[:-1], "high": edges[1:]}
    parts = {"decoder": counts, "random": expected}
    frames = [pl.DataFrame({"of": [name] * BINS, **ends, "n": n}) for name, n in parts.items()]
    return pl.concat(frames).cast(COSINES.schema())


def by_chance(edges: Floats, d_in: int) -> Floats:
    """(bins,) probabilities of the cosine of two random directions in `d_in` dimensions.

    (1 + cos) / 2 is distributed as Beta((d_in - 1) / 2, (d_in - 1) / 2); in one dimension the
    cosine is 1 or -1.

    Args:
        edges: (bins + 1,) from -1 to 1.
        d_in: of the space.

    Source: Muirhead 1982, Aspects of Multivariate Statistical Theory, section 1.5.
    """
    if d_in == 1:
        ends = np.zeros(len(edges) - 1)
        ends[[0, -1]] += 0.5
        return ends
    half = (d_in - 1) / 2
    return np.asarray(np.diff(betainc(half, half, (1 + edges) / 2)))
