"""Intervals of mean effects from resampled problems; pure."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from studyrun_classify.statistics.incidence import pieces
from studyrun_intervene.statistics.acting import on_acting
from studyrun_intervene.statistics.intervals import Interval

__all__ = ["difference_interval", "known_central", "mean_interval", "resampled_means"]

AT_ONCE = 2**22
"""Numbers that the largest array of some edits may hold; they take about eight such arrays."""


def resampled_means(
    values: Float[Tensor, "edits problems"],
    acts: Bool[Tensor, "edits problems"],
    weights: Float[Tensor, "resamples problems"],
) -> Float[Tensor, "edits resamples"]:
    """The mean over acting problems in every resample; NaN where it drew none of them.

        m_eb = sum_p w_bp a_ep v_ep / sum_p w_bp a_ep

    Args:
        values: effects.
        acts: where the edit acts.
        weights: `resampled_rows`, the same for all edits, arms and quantities. So the means of two
            arms are paired, and their differences are those of `values` that are differences.

    Raises:
        ValueError: an effect on an acting problem is not finite.
    """
    columns = weights.to(values.device).double().T
    return (on_acting(values, acts) @ columns) / (acts.double() @ columns)


def known_central(samples: Float[Tensor, "edits resamples"], confidence: float) -> Interval:
    """The central `confidence` of each row's samples that are not NaN; NaN where all are.

    `intervals.central` of a row without NaN.

    Raises:
        ValueError: there are no samples.
    """
    if samples.shape[1] == 0:
        raise ValueError("no resamples: the interval is undefined")
    if len(samples) == 0:
        return Interval(samples[:, 0], samples[:, 0])
    tail = (1 - confidence) / 2
    low, high = samples.nanquantile(samples.new_tensor([tail, 1 - tail]), dim=1)
    return Interval(low, high)


def mean_interval(
    values: Float[Tensor, "edits problems"],
    acts: Bool[Tensor, "edits problems"],
    weights: Float[Tensor, "resamples problems"],
    confidence: float = 0.95,
) -> Interval:
    """The percentile bootstrap interval of the mean over acting problems, problems resampled.

    The central `confidence` of `resampled_means`. Resamples that drew no acting problem are left
    out. NaN where fewer than 2 problems act.

    It is too short for few problems. Of the intervals of 95 %, so many cover the true mean:

        acting problems        2     3     5    10    40
        normal effects        50    75    87    91    94 %
        log-normal effects    42    65    75    81    90 %

    Where all effects are equal it is a point: for 0/1 outcomes that never, or always, occur take
    `wilson`.

    Raises:
        ValueError: an effect on an acting problem is not finite, or there are no resamples.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, 13.3.
    """
    return _intervals(
        lambda some: resampled_means(values[some], acts[some], weights),
        acts.sum(1) >= 2,
        max(weights.shape),
        confidence,
    )


def difference_interval(
    values: Float[Tensor, "edits problems"],
    first: Bool[Tensor, "edits problems"],
    second: Bool[Tensor, "edits problems"],
    weights: Float[Tensor, "resamples problems"],
    confidence: float = 0.95,
) -> Interval:
    """The interval of the mean over `first` minus the mean over `second`, problems resampled.

    As `mean_interval`; resamples that drew none of either side are left out. NaN where either side
    has fewer than 2 problems.

    Raises:
        ValueError: an effect on either side is not finite, or there are no resamples.
    """
    return _intervals(
        lambda some: (
            resampled_means(values[some], first[some], weights)
            - resampled_means(values[some], second[some], weights)
        ),
        (first.sum(1) >= 2) & (second.sum(1) >= 2),
        max(weights.shape),
        confidence,
    )


def _intervals(
    samples: Callable[[slice], Float[Tensor, "some resamples"]],
    enough: Bool[Tensor, " edits"],
    width: int,
    confidence: float,
) -> Interval:
    """The intervals of some edits at a time; NaN where there is not enough."""
    ends = torch.full((2, len(enough)), torch.nan, dtype=torch.float64, device=enough.device)
    for some in pieces(len(enough), AT_ONCE // width):
        interval = known_central(samples(some), confidence)
        ends[:, some] = torch.stack([interval.low, interval.high])
    low, high = torch.where(enough, ends, torch.nan)
    return Interval(low, high)
