"""The test of a feature against a concept among problems that are alike; pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from studyrun_classify.statistics.intervals import Estimate, normal_quantile
from studyrun_classify.statistics.tails import log_stratified_tail

__all__ = ["Tables", "common_odds", "expected_rate", "lower_bound", "normal_p",
           "stratified_log_p"]  # fmt: skip

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Two-by-two tables of pairs of a feature and a concept, one for each stratum.

    All arrays are (strata, *pairs).
    """

    active: Floats
    """Problems on which the feature is active,"""
    both: Floats
    """and those of them that have the concept."""
    having: Floats
    """Problems that have the concept."""
    total: Floats
    """All problems."""

    def at(self, *pairs: NDArray[np.intp] | Bools) -> Tables:
        """Some of the pairs, as a NumPy index."""
        return Tables(*(each[(slice(None), *pairs)] for each in self._arrays()))

    def _arrays(self) -> tuple[Floats, ...]:
        return self.active, self.both, self.having, self.total

    def log_tail(self) -> Floats:
        """(pairs) log of the exact one-sided p."""
        shape = self.both.shape
        active, both, having, total = (each.reshape(shape[0], -1) for each in self._arrays())
        log_p = log_stratified_tail(both.sum(axis=0), active.T, having.T, total.T)
        return log_p.reshape(shape[1:])


def stratified_log_p(found: Tables, level: float) -> Floats:
    """(pairs) log of the one-sided p, exact where p is at most `level`; 0 where nothing varies.

    Under the null hypothesis the problems with the concept are, in each stratum, a random choice
    of as many; `both` is a sum of independent hypergeometric counts. Where the exact tail must be
    above the level it is not computed: p is then `normal_p`, by the normal approximation.
    """
    p = normal_p(found)
    where = lower_bound(p) <= level
    log_p = np.log(np.where(where, 1, p))
    log_p[where] = found.at(where).log_tail()
    return log_p


def lower_bound(rough: Floats) -> Floats:
    """What the exact p is not below, by `normal_p`: its square, or 1/4 if that is less.

    Where few are expected without the concept, the exact tail is about exp(-expected) and the
    approximation about exp(-expected / 2); elsewhere they are nearer to each other.
    """
    return np.asarray(np.minimum(rough**2, 0.25))


def normal_p(found: Tables) -> Floats:
    """(pairs) p by mean and variance of the sum, with continuity correction.

    Source: Mantel and Haenszel 1959, Journal of the National Cancer Institute 22, 719-748.
    """
    n = np.maximum(found.total, 1)
    mean = found.active * found.having / n
    variance = mean * (n - found.active) * (n - found.having) / (n * np.maximum(n - 1, 1))
    excess, spread = (found.both - mean).sum(axis=0) - 0.5, np.sqrt(variance.sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, ndtr(-excess / spread), 1.0)


def common_odds(found: Tables, confidence: float = 0.95) -> Estimate:
    """(pairs) the log odds ratio common to the strata, with its interval.

    Mantel and Haenszel's log(sum R / sum S) with R = a d / n and S = b c / n, half a problem added
    to each cell and spread over the strata that have problems; for one stratum the same as
    `intervals.log_odds`.

    Source: Mantel and Haenszel 1959, Journal of the National Cancer Institute 22, 719-748; variance
    of Robins, Breslow and Greenland 1986, Biometrics 42, 311-323.
    """
    there = found.total > 0
    little = 0.5 * there / np.maximum(there.sum(axis=0), 1)
    a = found.both + little
    b, c = found.active - found.both + little, found.having - found.both + little
    d = found.total - found.active - found.having + found.both + little
    n = np.where(there, found.total + 4 * little, 1)
    agree, r, s = (a + d) / n, a * d / n, b * c / n
    R, S = r.sum(axis=0), s.sum(axis=0)
    same, differ = (agree * r).sum(axis=0), ((1 - agree) * s).sum(axis=0)
    mixed = (agree * s + (1 - agree) * r).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):  # no problems at all: undefined
        variance = same / (2 * R**2) + mixed / (2 * R * S) + differ / (2 * S**2)
        value, half = np.log(R) - np.log(S), normal_quantile(confidence) * np.sqrt(variance)
    return Estimate(value, value - half, value + half)


def expected_rate(found: Tables) -> Floats:
    """(pairs) the rate among active problems if only the stratum mattered.

    sum of active_s * having_s / total_s over n_active; NaN for a feature that is never active.
    """
    expected = (found.active * found.having / np.maximum(found.total, 1)).sum(axis=0)
    n_active = found.active.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.where(n_active > 0, expected / n_active, np.nan)
