"""The rank test of |activation| against a concept, for features active nearly everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import rankdata

from studyrun_classify.incidence import Incidence
from studyrun_classify.intervals import Estimate, normal_quantile

__all__ = ["RankSums", "RankTest", "by_strata", "rank_sums", "rank_test"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


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


@dataclass(frozen=True, slots=True, eq=False)
class RankSums:
    """Mann and Whitney's U with what it takes to judge it; arrays (features, concepts)."""

    u: Floats
    """Pairs in which the problem with the concept has the larger |activation|, ties half."""
    n1: Floats
    """Problems with the concept."""
    n0: Floats
    """Problems without it."""
    variance: Floats
    """Of u, if the concept had nothing to do with the activation."""

    @property
    def pairs(self) -> Floats:
        """All pairs of a problem with the concept and one without."""
        return self.n1 * self.n0


def rank_sums(strength: Floats, holds: Bools) -> RankSums:
    """U = R - n1 (n1 + 1) / 2, R the sum of the midranks of the n1 problems with the concept.

    Its mean is n1 n0 / 2, its variance n1 n0 / 12 ((n + 1) - sum(t^3 - t) / (n (n - 1))), t the
    sizes of the ties.

    Args:
        strength: (features, problems) |activation|, 0 where inactive.
        holds: (problems, concepts).

    Source: Mann and Whitney 1947, Annals of Mathematical Statistics 18, 50-60.
    """
    n = strength.shape[1]
    n1 = holds.sum(axis=0, dtype=np.float64)
    pairs = n1 * (n - n1)
    ranks = rankdata(strength, axis=1) if n else strength
    u = ranks @ holds.astype(np.float64) - n1 * (n1 + 1) / 2
    variance = pairs / 12 * np.maximum(n + 1 - _ties(strength)[:, None], 0)
    return RankSums(u, np.broadcast_to(n1, u.shape), np.broadcast_to(n - n1, u.shape), variance)


def rank_test(strength: Floats, holds: Bools) -> RankTest:
    """The Mann-Whitney test by the normal approximation with continuity correction.

    Args:
        strength: (features, problems) |activation|, 0 where inactive.
        holds: (problems, concepts).
    """
    return _combined([rank_sums(strength, holds)])


def by_strata(strength: Floats, incidence: Incidence, *, within_parts: bool) -> RankTest:
    """The test among problems of one stratum: rank sums and their variances added up over strata.

    Args:
        strength: (features, problems) |activation| of the incidence.
        incidence: the concepts and the strata.
        within_parts: rank for each concept only problems in which all its parts hold.
    """
    alike = [incidence.stratum == stratum for stratum in np.unique(incidence.stratum)]
    if not within_parts:
        return _combined([rank_sums(strength[:, rows], incidence.holds[rows]) for rows in alike])
    columns = [
        [
            rank_sums(strength[:, rows & applies], holds[rows & applies, None])
            for applies, holds in zip(incidence.applies.T, incidence.holds.T, strict=True)
        ]
        for rows in alike
    ]
    shape = (len(strength), len(incidence.concepts))
    return _combined([_beside(each, shape) for each in columns])


def _beside(columns: Sequence[RankSums], shape: tuple[int, int]) -> RankSums:
    """Sums of one concept each, as one table."""
    u, n1, n0, variance = np.zeros((4, *shape))
    for i, sums in enumerate(columns):
        for whole, part in ((u, sums.u), (n1, sums.n1), (n0, sums.n0), (variance, sums.variance)):
            whole[:, [i]] = part
    return RankSums(u, n1, n0, variance)


def _combined(strata: Sequence[RankSums]) -> RankTest:
    """The sum of all U against its mean and variance; AUROC over pairs within strata.

    A stratum in which a feature does not vary says nothing of it and is left out.
    """
    telling = [sums.variance > 0 for sums in strata]
    u = np.sum([sums.u * says for sums, says in zip(strata, telling, strict=True)], axis=0)
    pairs = np.sum([sums.pairs * says for sums, says in zip(strata, telling, strict=True)], axis=0)
    spread = np.sqrt(np.sum([sums.variance for sums in strata], axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(spread > 0, ndtr(-(u - pairs / 2 - 0.5) / spread), 1.0)
        auroc = np.where(pairs > 0, u / pairs, np.nan)
    return RankTest(p, auroc, _log_odds(strata, u, pairs))


def _ties(strength: Floats) -> Floats:
    """sum(t^3 - t) / (n (n - 1)) for every feature; t are the sizes of groups of equal values."""
    n = strength.shape[1]
    ties = np.zeros(len(strength))
    for row, values in enumerate(strength if n > 1 else ()):
        sizes = np.unique(values, return_counts=True)[1].astype(np.float64)
        ties[row] = (sizes**3 - sizes).sum() / (n * (n - 1))
    return ties


def _log_odds(
    strata: Sequence[RankSums], u: Floats, pairs: Floats, confidence: float = 0.95
) -> Estimate:
    """log(auroc / (1 - auroc)) with Hanley and McNeil's error, half a pair added to either side.

    Source: Hanley and McNeil 1982, Radiology 143, 29-36.
    """
    a = (u + 0.5) / (pairs + 1)
    both_above, both_below = a / (2 - a) - a**2, 2 * a**2 / (1 + a) - a**2
    variance = np.sum(
        [
            (s.variance > 0)
            * s.pairs
            * (a * (1 - a) + (s.n1 - 1) * both_above + (s.n0 - 1) * both_below)
            for s in strata
        ],
        axis=0,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.maximum(variance, 0)) / pairs / (a * (1 - a))
    value = np.log(a) - np.log1p(-a)
    half = np.where(pairs > 0, normal_quantile(confidence) * error, np.nan)
    return Estimate(value, value - half, value + half)
