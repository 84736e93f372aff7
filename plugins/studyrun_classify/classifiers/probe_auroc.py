"""AUROC among problems of one stratum, with interval and p-value; pure functions of arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import pearson3, rankdata

from studyrun_classify.statistics.intervals import Estimate, Interval, normal_quantile

__all__ = ["Separation", "separation"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Separation:
    """How well each row of scores tells problems with the concept from those without.

    Arrays (rows,); pairs are of a problem with the concept and one without, of one stratum. NaN
    (p: 1) where there is no such pair.
    """

    auroc: Floats
    """Share of pairs in which the problem with the concept has the larger score, ties half."""
    log_odds: Estimate
    """log(auroc / (1 - auroc)), shrunk so as to be finite, with its 95 % interval; the interval is
    NaN where no pair's scores differ."""
    untied: Floats
    """The same share of the pairs whose scores differ; NaN if none does."""
    p: Floats
    """One-sided: how often as much would be seen if scores were dealt out within strata."""

    @property
    def interval(self) -> Interval:
        """Of `auroc`; never without it."""
        low, high = expit(self.log_odds.low), expit(self.log_odds.high)
        return Interval(np.minimum(low, self.auroc), np.maximum(high, self.auroc))


@dataclass(frozen=True, slots=True, eq=False)
class _Stratum:
    """Placements: for each problem, the share of the others of the stratum on its right side."""

    having: Floats
    """(rows, problems with the concept) the share of those without that score lower."""
    lacking: Floats
    """(rows, problems without it) the share of those with it that score higher."""
    above: Floats
    """(rows,) pairs in which the one with the concept scores higher, ties not counted."""
    spread: Floats
    """(rows,) the variance of the number of such pairs, ties half, over all deals."""
    third: Floats
    """(rows,) its third central moment."""

    @property
    def pairs(self) -> int:
        """Pairs of a problem with the concept and one without."""
        return int(self.having.shape[1] * self.lacking.shape[1])


def separation(scores: Floats, holds: Bools, stratum: NDArray[np.intp]) -> Separation:
    """What the scores say of the concept among problems of one stratum.

    Strata weigh as many as they have pairs. The p-value is of the rank sum, its distribution taken
    as Pearson's type III with the exact mean, variance and third moment: for rare features and
    rare concepts the normal distribution would call far too much certain.

    Args:
        scores: (rows, problems).
        holds: (problems,) whether the concept holds.
        stratum: (problems,) which problems are alike.

    Source: Kazi-Aoual, Hitier, Sabatier and Lebreton 1995, Computational Statistics and Data
    Analysis 20, 643-656 (type III by three moments of the permutation distribution).
    """
    strata = list(_strata(scores, holds, stratum))
    if not strata:
        nothing = np.full(len(scores), np.nan)
        unknown = Estimate(nothing, nothing, nothing)
        return Separation(nothing, unknown, nothing, np.ones(len(scores)))
    pairs = sum(each.pairs for each in strata)
    u = np.sum([each.having.mean(axis=1) * each.pairs for each in strata], axis=0)
    above = np.sum([each.above for each in strata], axis=0)
    below = pairs - 2 * u + above
    spread = np.sqrt(np.sum([each.spread for each in strata], axis=0))
    third = np.sum([each.third for each in strata], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z, skew = (u - pairs / 2 - 0.5) / spread, third / spread**3
        p = np.where(spread > 0, pearson3.sf(z, np.where(spread > 0, skew, 0)), 1.0)
        untied = above / (above + below)
    return Separation(u / pairs, _log_odds(strata, above + below > 0), untied, p)


def _strata(scores: Floats, holds: Bools, stratum: NDArray[np.intp]) -> Iterator[_Stratum]:
    """The strata that have a pair."""
    for number in np.unique(stratum):
        rows = stratum == number
        if holds[rows].any() and not holds[rows].all():
            yield _placed(scores[:, rows], holds[rows])


def _placed(scores: Floats, holds: Bools) -> _Stratum:
    n1, n0 = int(holds.sum()), int((~holds).sum())
    ranks = rankdata(scores, axis=1)
    having = (ranks[:, holds] - rankdata(scores[:, holds], axis=1)) / n0
    lacking = 1 - (ranks[:, ~holds] - rankdata(scores[:, ~holds], axis=1)) / n1
    lowest = rankdata(scores, method="min", axis=1)[:, holds]
    above = lowest - rankdata(scores[:, holds], method="min", axis=1)
    centred, n = ranks - (n1 + n0 + 1) / 2, n1 + n0
    spread = n1 * n0 / (n - 1) * (centred**2).mean(axis=1)
    third = n1 * n0 * (n0 - n1) / ((n - 1) * max(n - 2, 1)) * (centred**3).mean(axis=1)
    return _Stratum(having, lacking, above.sum(axis=1), spread, third)


def _log_odds(strata: Sequence[_Stratum], differ: Bools, confidence: float = 0.95) -> Estimate:
    """DeLong's interval on the scale of the log odds, with one problem that ties with all added.

    In each stratum either side is given 1 / strata of a problem whose placement is 1/2. Without it
    the interval would have no width where all pairs point one way, and would cover too rarely
    where few problems have the concept.

    Args:
        strata: the placements.
        differ: (rows,) whether any pair's scores differ.
        confidence: of the interval.

    Source: DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44, 837-845; in log odds as in Pepe
    2003, The Statistical Evaluation of Medical Tests for Classification and Prediction, 5.2.4.
    """
    pairs, rows = sum(each.pairs for each in strata), len(strata[0].above)
    value, variance = np.zeros(rows), np.zeros(rows)
    for each in strata:
        share = each.pairs / pairs
        for placements in (each.having, each.lacking):
            mean, error = _shrunk(placements, 1 / len(strata))
            value += share * mean / 2
            variance += share**2 * error
    half = normal_quantile(confidence) * np.sqrt(variance) / (value * (1 - value))
    odds, half = logit(value), np.where(differ, half, np.nan)
    return Estimate(odds, odds - half, odds + half)


def _shrunk(placements: Floats, added: float) -> tuple[Floats, Floats]:
    """The mean of the placements and `added` times 1/2, and its squared standard error."""
    n = placements.shape[1] + added
    mean = (placements.sum(axis=1) + added / 2) / n
    squares = ((placements - mean[:, None]) ** 2).sum(axis=1) + added * (mean - 0.5) ** 2
    return mean, squares / (n - 1) / n
