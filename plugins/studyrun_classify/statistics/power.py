"""How many problems a test would need: the answer to "insufficient"; pure functions of arrays."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri
from scipy.stats import binom

__all__ = ["detectable_rate", "rank_test_needs", "rate_at", "rate_test_needs"]

Floats = NDArray[np.float64]

EXACT_UP_TO = 200
LARGEST = 10_000_000
"""Nobody has more problems; where more were needed, no number is given."""


@lru_cache(maxsize=1)
def _sample_sizes() -> Floats:
    """1, 2, ..., 200, then steps of 5 % up to `LARGEST`."""
    steps = int(np.log(LARGEST / EXACT_UP_TO) / np.log(1.05))
    larger = np.ceil(EXACT_UP_TO * 1.05 ** np.arange(1, steps + 1))
    return np.concatenate([np.arange(1.0, EXACT_UP_TO + 1), larger])


@lru_cache(maxsize=4096)
def _reachable(base_rate: float, level: float, power: float) -> Floats:
    """The smallest rate found by each sample size or a smaller one; never above 1, else inf."""
    rates = detectable_rate(_sample_sizes(), base_rate, level, power)
    return np.asarray(np.minimum.accumulate(rates))


def detectable_rate(n: Floats, base_rate: float, level: float, power: float) -> Floats:
    """The smallest rate that n problems show with probability `power`; inf where none does.

    The test is the exact one-sided binomial test of "rate > base_rate" at `level`: it rejects from
    the smallest c with P(X >= c | n, base_rate) <= level, and P(X >= c | n, rate) is the
    regularised incomplete beta function I_rate(c, n - c + 1), inverted here.
    """
    critical = binom.isf(level, n, base_rate) + 1
    possible = critical <= n
    rate = betaincinv(
        np.where(possible, critical, 1), np.where(possible, n - critical + 1, 1), power
    )
    return np.where(possible, rate, np.inf)


def rate_at(odds_ratio: float, base_rate: Floats, share: Floats) -> Floats:
    """The rate among active problems at which they have that odds ratio to the inactive ones.

    Solves share * r + (1 - share) * s = base_rate with odds(r) = odds_ratio * odds(s), where
    `share` is the share of active problems: the margins of the table stay as they are.
    """
    excess = odds_ratio - 1
    middle = share * odds_ratio + 1 - share + base_rate * excess
    last = base_rate * odds_ratio
    root = np.sqrt(np.maximum(middle**2 - 4 * share * excess * last, 0))
    return 2 * last / (middle + root)


def rate_test_needs(
    rate: Floats, base_rate: Floats, share: Floats, level: float, power: float
) -> Floats:
    """Active problems needed to find `rate` against `base_rate`; NaN where out of reach.

    Exact for the binomial test (in steps of 5 % above 200), times 1 - share: the hypergeometric
    test draws without replacement, which divides the variance by as much.

    Args:
        rate: rows, among active problems.
        base_rate: rows, among all problems; few distinct values are fast.
        share: rows, the share of all problems that are active.
        level: p-value at which a finding counts.
        power: probability of the finding.
    """
    bases, which = np.unique(base_rate, return_inverse=True)
    by_base, ends = np.argsort(which, kind="stable"), np.bincount(which, minlength=len(bases))
    sizes, needed = np.append(_sample_sizes(), np.nan), np.full(len(rate), np.nan)
    for base, rows in zip(bases, np.split(by_base, np.cumsum(ends))[:-1], strict=True):
        if 0 < base < 1:
            reachable = _reachable(float(base), level, power)
            needed[rows] = sizes[np.searchsorted(-reachable, -rate[rows])]
    needed = np.maximum(np.ceil(needed * (1 - share)), 1)
    return np.where(share < 1, needed, np.nan)


def rank_test_needs(auroc: Floats, base_rate: Floats, level: float, power: float) -> Floats:
    """Problems needed to find `auroc` against 1/2 where `base_rate` of them have the concept.

    n = (z_level + z_power)^2 / (12 b (1 - b) (auroc - 1/2)^2); NaN where out of reach.

    Source: Noether 1987, Journal of the American Statistical Association 82, 645-647.
    """
    z = -ndtri(level) + ndtri(power)
    spread = 12 * base_rate * (1 - base_rate) * (auroc - 0.5) ** 2
    with np.errstate(divide="ignore"):
        needed = np.ceil(z**2 / spread)
    return np.where(needed <= LARGEST, needed, np.nan)
