"""The rank test of |activation| against a concept, for features active nearly everywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import rankdata

from studyrun_classify.intervals import Estimate, normal_quantile

__all__ = ["RankTest", "rank_test"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RankTest:
    """What the test says for every feature with every concept; arrays (features, concepts)."""

    p: Floats
    """One-sided: problems with the concept have the larger |activation|; 1 where undefined."""
    auroc: Floats
    """How often a problem with the concept has the larger |activation| of two, ties counting
    half; NaN where undefined."""
    log_odds: Estimate
    """log(auroc / (1 - auroc)) with half a pair added to either side, and its 95 % interval; the
    interval is NaN where undefined."""


def rank_test(strength: Floats, holds: NDArray[np.bool_]) -> RankTest:
    """The Mann-Whitney test with ties and continuity correction, normal approximation.

    U = R - n1 (n1 + 1) / 2, R the sum of the midranks of the n1 problems with the concept,
    z = (U - n1 n0 / 2 - 1/2) / sqrt(n1 n0 / 12 ((n + 1) - sum(t^3 - t) / (n (n - 1)))), t the
    sizes of the ties. Interval: Hanley and McNeil's standard error, on the scale of log odds.

    Args:
        strength: (features, problems) |activation|, 0 where inactive.
        holds: (problems, concepts).

    Source: Mann and Whitney 1947, Annals of Mathematical Statistics 18, 50-60; Hanley and McNeil
    1982, Radiology 143, 29-36.
    """
    n = strength.shape[1]
    n1 = holds.sum(axis=0, dtype=np.float64)
    pairs = n1 * (n - n1)
    ranks = rankdata(strength, axis=1) if n else strength
    u = ranks @ holds.astype(np.float64) - n1 * (n1 + 1) / 2
    spread = np.sqrt(pairs / 12 * np.maximum(n + 1 - _ties(strength)[:, None], 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (u - pairs / 2 - 0.5) / spread
        auroc = np.where(pairs > 0, u / pairs, np.nan)
    return RankTest(np.where(spread > 0, ndtr(-z), 1.0), auroc, _log_odds(u, n1, n - n1))


def _ties(strength: Floats) -> Floats:
    """sum(t^3 - t) / (n (n - 1)) for every feature; t are the sizes of groups of equal values."""
    n = strength.shape[1]
    ties = np.zeros(len(strength))
    for row, values in enumerate(strength if n > 1 else ()):
        sizes = np.unique(values, return_counts=True)[1].astype(np.float64)
        ties[row] = (sizes**3 - sizes).sum() / (n * (n - 1))
    return ties


def _log_odds(u: Floats, n1: Floats, n0: Floats, confidence: float = 0.95) -> Estimate:
    pairs = n1 * n0
    a = (u + 0.5) / (pairs + 1)
    both_above, both_below = a / (2 - a), 2 * a**2 / (1 + a)
    variance = a * (1 - a) + (n1 - 1) * (both_above - a**2) + (n0 - 1) * (both_below - a**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.maximum(variance, 0) / pairs) / (a * (1 - a))
        value = np.log(a) - np.log1p(-a)
    half = np.where(pairs > 0, normal_quantile(confidence) * error, np.nan)
    return Estimate(value, value - half, value + half)
