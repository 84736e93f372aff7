"""The test of a feature against a concept among problems that are alike; pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr

from studyrun_classify.incidence import Incidence
from studyrun_classify.intervals import Estimate, normal_quantile

__all__ = ["Tables", "always_on", "common_odds", "expected_rate", "stratified_p", "tables",
           "undefined", "upper_tail"]  # fmt: skip

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Counts = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Two-by-two tables of every feature with every concept, one for each stratum.

    All arrays are (strata, features, concepts).
    """

    active: Floats
    both: Floats
    having: Floats
    total: Floats


def tables(incidence: Incidence, *, within_parts: bool) -> Tables:
    """The tables of all pairs by stratum.

    Args:
        incidence: the matrices.
        within_parts: count for each concept only problems in which all its parts hold.
    """
    shape = (len(incidence.features), len(incidence.concepts))
    found: list[tuple[Floats, ...]] = []
    for stratum in incidence.strata():
        applies = stratum.applies if within_parts else np.ones_like(stratum.holds)
        counted, holds = applies.astype(np.float64), (applies & stratum.holds).astype(np.float64)
        having, total = (np.broadcast_to(each.sum(axis=0), shape) for each in (holds, counted))
        found.append((stratum.active @ counted, stratum.active @ holds, having, total))
    return Tables(*(np.stack(each) for each in zip(*found, strict=True)))


def undefined(found: Tables) -> Bools:
    """(features, concepts) where in every stratum the concept holds in all problems or in none."""
    return np.asarray(((found.having == 0) | (found.having == found.total)).all(axis=0))


def stratified_p(found: Tables, exact_below: float) -> Floats:
    """(features, concepts) one-sided p; 1 where nothing varies within strata.

    Under the null hypothesis the problems with the concept are, in each stratum, a random choice
    of as many; `both` is a sum of independent hypergeometric counts. Where the normal
    approximation of that sum is above `exact_below` it is returned, below it the exact tail.

    Args:
        found: the tables.
        exact_below: so far above any level of interest that the approximation may be wrong.
    """
    p = _normal_p(found)
    logs = gammaln(np.arange(int(found.total.max(initial=0)) + 1) + 1)
    active, both, having, total = (
        array.astype(np.intp) for array in (found.active, found.both, found.having, found.total)
    )
    for row, column in np.argwhere(p <= exact_below):
        at = (slice(None), row, column)
        p[row, column] = upper_tail(active[at], int(both[at].sum()), having[at], total[at], logs)
    return p


def _normal_p(found: Tables) -> Floats:
    """By mean and variance of the sum, with continuity correction (Mantel and Haenszel's test)."""
    n = np.maximum(found.total, 1)
    mean = found.active * found.having / n
    variance = mean * (n - found.active) * (n - found.having) / (n * np.maximum(n - 1, 1))
    excess, spread = (found.both - mean).sum(axis=0) - 0.5, np.sqrt(variance.sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, ndtr(-excess / spread), 1.0)


def upper_tail(active: Counts, both: int, having: Counts, total: Counts, logs: Floats) -> float:
    """P(X_1 + ... + X_S >= both), X_s the count in a draw of `active` of `total` in stratum s.

    Args:
        active: (strata,) problems drawn.
        both: the sum observed.
        having: (strata,) problems with the concept.
        total: (strata,) problems.
        logs: log(0!), log(1!), ... as far as the largest total.
    """
    distribution, lowest = np.ones(1), 0
    for a, h, n in zip(active, having, total, strict=True):
        x = np.arange(max(0, a + h - n), min(a, h) + 1)
        ways = logs[h] - logs[x] - logs[h - x]
        ways += logs[n - h] - logs[a - x] - logs[n - h - a + x]
        share = np.exp(ways - (logs[n] - logs[a] - logs[n - a]))
        distribution, lowest = np.convolve(distribution, share), lowest + int(x[0])
    return float(min(1.0, distribution[max(0, both - lowest) :].sum()))


def common_odds(found: Tables, confidence: float = 0.95) -> Estimate:
    """(features, concepts) the log odds ratio common to the strata, with its interval.

    Mantel and Haenszel's log(sum R / sum S) with R = a d / n and S = b c / n, half a problem added
    to each cell and spread over the strata; for one stratum the same as `intervals.log_odds`.

    Source: Mantel and Haenszel 1959, Journal of the National Cancer Institute 22, 719-748; variance
    of Robins, Breslow and Greenland 1986, Biometrics 42, 311-323.
    """
    little = 0.5 / len(found.total)
    a = found.both + little
    b, c = found.active - found.both + little, found.having - found.both + little
    d = found.total - found.active - found.having + found.both + little
    n = found.total + 4 * little
    agree, r, s = (a + d) / n, a * d / n, b * c / n
    R, S = r.sum(axis=0), s.sum(axis=0)
    same, differ = (agree * r).sum(axis=0), ((1 - agree) * s).sum(axis=0)
    mixed = (agree * s + (1 - agree) * r).sum(axis=0)
    variance = same / (2 * R**2) + mixed / (2 * R * S) + differ / (2 * S**2)
    value, half = np.log(R) - np.log(S), normal_quantile(confidence) * np.sqrt(variance)
    return Estimate(value, value - half, value + half)


def expected_rate(found: Tables) -> Floats:
    """(features, concepts) the rate among active problems if only the stratum mattered.

    sum of active_s * having_s / total_s over n_active; NaN for a feature that is never active.
    """
    expected = (found.active * found.having / np.maximum(found.total, 1)).sum(axis=0)
    n_active = found.active.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.where(n_active > 0, expected / n_active, np.nan)


def always_on(incidence: Incidence, share: float) -> Bools:
    """(features,) those most of whose active problems lie in strata where they are always on.

    Always on: active on more than `share` of the stratum's problems. Being active says nothing of
    a concept there; how strongly may.
    """
    inside = np.zeros(len(incidence.features))
    n_active = np.zeros(len(incidence.features))
    for stratum in incidence.strata():
        active = stratum.active.sum(axis=1)
        inside += np.where(active > share * len(stratum.holds), active, 0)
        n_active += active
    return np.asarray(2 * inside > n_active)
