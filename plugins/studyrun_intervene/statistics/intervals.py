"""Intervals and places in a distribution; pure."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Interval", "central", "percentile_of", "resampled_rows", "wilson"]


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """Lower and upper ends, one per edit."""

    low: Float[Tensor, " edits"]
    high: Float[Tensor, " edits"]


def resampled_rows(
    rows: int, resamples: int, generator: torch.Generator
) -> Float[Tensor, "resamples rows"]:
    """Bootstrap weights: the share of each row in each resample, float64 (Efron 1979).

    Times a matrix of values (rows, edits), the means of all resamples of every edit at once.

    Raises:
        ValueError: there are no rows to resample.
    """
    if rows == 0:
        raise ValueError("no rows: the mean is undefined")
    drawn = torch.randint(0, rows, (resamples, rows), generator=generator)
    counts = torch.zeros(resamples, rows, dtype=torch.float64)
    return counts.scatter_add_(1, drawn, torch.ones_like(counts)) / rows


def central(samples: Float[Tensor, "samples edits"], confidence: float) -> Interval:
    """The central `confidence` of each column, linearly interpolated between samples."""
    if samples.shape[1] == 0:
        return Interval(samples[0], samples[0])
    tail = (1 - confidence) / 2
    ends = torch.tensor([tail, 1 - tail], dtype=samples.dtype, device=samples.device)
    low, high = samples.quantile(ends, dim=0)
    return Interval(low, high)


def percentile_of(
    value: Float[Tensor, " edits"], samples: Float[Tensor, "samples edits"]
) -> Float[Tensor, " edits"]:
    """The share of each column's samples below the value, equal ones counted half."""
    below = (samples < value).double() + 0.5 * (samples == value).double()
    return below.mean(0)


def wilson(successes: int, n: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a share (scipy).

    Raises:
        ValueError: n is 0, so there is no share.
    """
    from scipy.stats import binomtest

    if n == 0:
        raise ValueError("no trials: the share is undefined")
    interval = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)
