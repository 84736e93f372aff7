"""The rank test of |activation| against a concept, for features active nearly everywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr
from scipy.stats import rankdata

from studyrun_classify.statistics.intervals import Estimate, normal_quantile

__all__ = ["RankSums", "RankTest", "rank_sums", "rank_test", "ranks_of"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class RankTest:
    """What the test says for every feature with every concept; arrays (features, concepts)."""

    log_p: Floats
    """Log of the one-sided p: problems with the concept have the larger |activation|; 0 where
    undefined."""
    auroc: Floats
    """How often a problem with the concept has the larger |activation| of two, ties counting
    half; NaN where undefined."""
    log_odds: Estimate
    """log(auroc / (1 - auroc)) with half a pair added to either side, and its 95 % interval; the
    interval is NaN where undefined."""

    def at(self, features: Places, concepts: Places) -> RankTest:
        """Some pairs; arrays (pairs,)."""
        at, odds = (features, concepts), self.log_odds
        log_odds = Estimate(odds.value[at], odds.low[at], odds.high[at])
        return RankTest(self.log_p[at], self.auroc[at], log_odds)

    def among(self, concepts: Places, n_concepts: int) -> RankTest:
        """The columns as those of some of `n_concepts` concepts; NaN for the others."""

        def spread(array: Floats) -> Floats:
            every = np.full((len(array), n_concepts), np.nan)
            every[:, concepts] = array
            return every

        odds = self.log_odds
        log_odds = Estimate(spread(odds.value), spread(odds.low), spread(odds.high))
        return RankTest(spread(self.log_p), spread(self.auroc), log_odds)

    @property
    def p(self) -> Floats:
        """One-sided; 1 where undefined."""
        return np.asarray(np.exp(self.log_p))


@dataclass(frozen=True, slots=True, eq=False)
class RankSums:
    """Mann and Whitney's U with what it takes to judge it; arrays (strata, features, concepts)."""

    u: Floats
    """Pairs in which the problem with the concept has the larger |activation|, ties half."""
    n1: Floats
    """Problems with the concept, (strata, 1, concepts)."""
    n0: Floats
    """Problems without it, (strata, 1, concepts)."""
    variance: Floats
    """Of u, if the concept had nothing to do with the activation."""

    @property
    def pairs(self) -> Floats:
        """All pairs of a problem with the concept and one without."""
        return self.n1 * self.n0


def ranks_of(strength: Floats) -> Floats:
    """(features, problems) midranks of |activation|, feature by feature."""
    return np.asarray(rankdata(strength, axis=1), dtype=np.float64) if strength.size else strength


def rank_sums(ranks: Floats, holds: Bools, stratum: Places) -> RankSums:
    """U = R - n1 (n1 + 1) / 2, R the sum of the midranks of the n1 problems with the concept.

    Its mean is n1 n0 / 2, its variance n1 n0 / 12 ((n + 1) - sum(t^3 - t) / (n (n - 1))), t the
    sizes of the ties. Problems are ranked, and everything is counted, stratum by stratum.

    Args:
        ranks: (features, problems) of |activation| among all problems, these or more.
        holds: (problems, concepts).
        stratum: (problems,) which problems are alike.

    Source: Mann and Whitney 1947, Annals of Mathematical Statistics 18, 50-60.
    """
    order = np.argsort(stratum, kind="stable")
    _, starts, sizes = np.unique(stratum[order], return_index=True, return_counts=True)
    holds, which = holds[order].astype(np.float64), np.repeat(np.arange(len(sizes)), sizes)
    apart = ranks[:, order] + which * (ranks.max(initial=0) + 1)  # strata one above the other
    within = ranks_of(apart) - np.repeat(starts, sizes)
    pieces = [slice(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    n = sizes[:, None, None].astype(np.float64)
    n1 = np.array([holds[some].sum(axis=0) for some in pieces]).reshape(len(n), 1, holds.shape[1])
    shape = (len(n), len(ranks), holds.shape[1])
    sums = np.array([within[:, some] @ holds[some] for some in pieces]).reshape(shape)
    ties = np.array([_ties(within[:, some]) for some in pieces]).reshape(*shape[:2], 1)
    variance = n1 * (n - n1) / 12 * np.maximum(n + 1 - ties, 0)
    return RankSums(sums - n1 * (n1 + 1) / 2, n1, n - n1, variance)


def _ties(ranks: Floats) -> Floats:
    """sum(t^3 - t) / (n (n - 1)) for every feature; t are the sizes of groups of equal values.

    From its midranks: ties of t lower the sum of squared ranks by (t^3 - t) / 12.
    """
    n = ranks.shape[1]
    if n < 2:
        return np.zeros(len(ranks))
    untied = n * (n + 1) * (2 * n + 1) / 6
    return np.asarray(12 * (untied - (ranks**2).sum(axis=1)) / (n * (n - 1)))


def rank_test(ranks: Floats, holds: Bools, stratum: Places) -> RankTest:
    """The Mann-Whitney test among problems of one stratum, with continuity correction.

    The sum of U over strata against its mean and variance, by the normal approximation; AUROC over
    pairs within strata. A stratum in which a feature does not vary says nothing of it and is left
    out. With a single stratum this is the plain test.

    Args:
        ranks: (features, problems) of |activation| among all problems, these or more.
        holds: (problems, concepts).
        stratum: (problems,) which problems are alike.
    """
    sums = rank_sums(ranks, holds, stratum)
    telling = sums.variance > 0
    u, pairs = (sums.u * telling).sum(axis=0), (sums.pairs * telling).sum(axis=0)
    spread = np.sqrt(sums.variance.sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_p = np.where(spread > 0, log_ndtr(-(u - pairs / 2 - 0.5) / spread), 0.0)
        auroc = np.where(pairs > 0, u / pairs, np.nan)
    return RankTest(log_p, auroc, _log_odds(sums, u, pairs))


def _log_odds(sums: RankSums, u: Floats, pairs: Floats, confidence: float = 0.95) -> Estimate:
    """log(auroc / (1 - auroc)) with Hanley and McNeil's error, shrunk a little towards 0.

    Pairs share problems, so n1 n0 of them tell as much as 3 n1 n0 / (n + 1) independent ones
    would (by U's variance where nothing is associated). Of those half a one is added to either
    side, as half a problem is to each cell of a table: without it the interval of an auroc near 1
    would be as wide as the number line.

    Source: Hanley and McNeil 1982, Radiology 143, 29-36.
    """
    counted = sums.pairs * (sums.variance > 0)
    alike = (counted * (sums.n1 + sums.n0 + 1)).sum(axis=0) / 3 / np.maximum(pairs, 1)
    a = np.where(pairs > 0, (u + alike / 2) / np.maximum(pairs + alike, 1), 0.5)
    both_above, both_below = a / (2 - a) - a**2, 2 * a**2 / (1 + a) - a**2
    each = a * (1 - a) + (sums.n1 - 1) * both_above + (sums.n0 - 1) * both_below
    variance = (counted * each).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.maximum(variance, 0)) / pairs / (a * (1 - a))
    value = np.log(a) - np.log1p(-a)
    half = np.where(pairs > 0, normal_quantile(confidence) * error, np.nan)
    return Estimate(value, value - half, value + half)
