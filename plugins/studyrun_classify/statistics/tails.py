"""Exact tails of counts drawn without replacement, for many tables at once; pure functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import gammaln

__all__ = ["hypergeometric_tail", "log_stratified_tail"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

AT_ONCE = 2**14
"""Rows of a batch, so that its arrays stay in the processor's cache."""
LARGEST_TABLE = 2**22
"""Up to here log n! is looked up; above it is computed again each time."""
NEGLIGIBLE = 1e-17
"""Terms of a sum that are smaller than it by this factor are left out."""
LARGEST_TILT = 45.0
"""Log odds that put all the weight on the largest count that is possible."""


def hypergeometric_tail(both: Floats, active: Floats, having: Floats, total: Floats) -> Floats:
    """(rows,) P(X >= both), X the problems with the concept among `active` drawn from `total`.

    P(X = k) times the sum of the products of P(X = k + 1) / P(X = k), which are ratios of small
    polynomials, from the side of the mean that is smaller. Agrees with `scipy.stats.hypergeom.sf`
    to 1e-9, ten times as fast. Tails below 1e-300 or so are 0.

    Args:
        both: problems that are drawn and have the concept.
        active: problems drawn.
        having: problems with the concept.
        total: problems.
    """
    logs, p = _log_factorials(int(total.max(initial=0))), np.empty(len(both))
    for start in range(0, len(both), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        k, a, h, n = both[rows], active[rows], having[rows], total[rows]
        below = k * n <= a * h  # then the others, who lack the concept, are the smaller tail
        tail = _above_mean(np.where(below, a - k + 1, k), a, np.where(below, n - h, h), n, logs)
        p[rows] = np.where(below, 1 - tail, tail)
    return np.clip(p, 0.0, 1.0)


def _above_mean(
    k: Floats, a: Floats, h: Floats, n: Floats, logs: Callable[[Floats], Floats]
) -> Floats:
    """P(X >= k) for k at or above the mean: the terms decrease from the first one on."""
    rows = np.flatnonzero(k <= np.minimum(a, h))
    tail = np.zeros(len(k))
    k, a, h, rest = k[rows], a[rows], h[rows], (n - h - a)[rows]
    first = np.exp(_log_ways(k, a, h, n[rows], logs) - _log_draws(a, n[rows], logs))
    term, total = np.ones(len(rows)), np.ones(len(rows))
    while len(rows):
        term = term * (h - k) * (a - k) / ((k + 1) * (rest + k + 1))
        total, k = total + term, k + 1
        going = term > NEGLIGIBLE * total
        if 2 * going.sum() < len(going):
            tail[rows[~going]] = (first * total)[~going]
            rows, k, a, h, rest = rows[going], k[going], a[going], h[going], rest[going]
            first, term, total = first[going], term[going], total[going]
    return tail


def _log_ways(
    k: Floats, a: Floats, h: Floats, n: Floats, logs: Callable[[Floats], Floats]
) -> Floats:
    """Log of the draws of `a` with exactly k of h: C(h, k) C(n - h, a - k)."""
    having = logs(h) - logs(k) - logs(h - k)
    return having + logs(n - h) - logs(a - k) - logs(n - h - a + k)


def _log_draws(a: Floats, n: Floats, logs: Callable[[Floats], Floats]) -> Floats:
    """Log of all draws: C(n, a)."""
    return logs(n) - logs(a) - logs(n - a)


def _log_factorials(largest: int) -> Callable[[Floats], Floats]:
    """Log n! for whole numbers from 0 to `largest`."""
    if largest > LARGEST_TABLE:
        return lambda n: np.asarray(gammaln(n + 1))
    table = gammaln(np.arange(largest + 1) + 1.0)
    return lambda n: np.asarray(table[n.astype(np.intp)])


def log_stratified_tail(both: Floats, active: Floats, having: Floats, total: Floats) -> Floats:
    """(rows,) log P(X_1 + ... + X_S >= both), X_s the count in a draw of active_s of total_s.

    The distributions of the strata are tilted, P_t(x) proportional to P(x) exp(t x), so that the
    mean of their sum is `both`, and convolved by Fourier transform. The tail of the tilted sum is
    no small number, so nothing is lost when the tilt is taken back:

    P(sum >= k) = E[exp(t sum)] exp(-t k) sum_{j >= 0} exp(-t j) P_t(sum = k + j)

    Args:
        both: (rows,) the sum observed.
        active: (rows, strata) problems drawn.
        having: (rows, strata) problems with the concept.
        total: (rows, strata) problems.

    Source: the tilt is that of Esscher 1932, Skandinavisk Aktuarietidskrift 15, 175-195.
    """
    logs, log_p = _log_factorials(int(total.max(initial=0))), np.empty(len(both))
    tilt = _tilt(both, active, having, total)
    low, width = _window(tilt, active, having, total)
    lengths = width.sum(axis=1)
    order, start = np.argsort(lengths), 0
    while start < len(order):  # rows of about one length together
        cost = active.shape[1] * (lengths[order[start]] + 16)
        rows = order[start : start + max(1, int(4 * AT_ONCE // cost))]
        draws = Draws(active[rows], having[rows], total[rows], logs)
        log_p[rows] = _log_tilted_tail(both[rows], draws, tilt[rows], low[rows], width[rows])
        start += len(rows)
    return np.minimum(log_p, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """How many are drawn of how many, in each stratum; arrays (rows, strata)."""

    active: Floats
    having: Floats
    total: Floats
    logs: Callable[[Floats], Floats]
    """Log n!"""

    def log_share(self, k: Floats) -> Floats:
        """Log of the share of draws with exactly k (rows, strata, counts)."""
        a, h, n = (each[:, :, None] for each in (self.active, self.having, self.total))
        return _log_ways(k, a, h, n, self.logs) - _log_draws(a, n, self.logs)


def _log_tilted_tail(
    both: Floats, draws: Draws, tilt: Floats, low: Floats, width: Floats
) -> Floats:
    """(rows,) logs of the tails; `low` and `width` (rows, strata) say which counts matter."""
    steps = np.arange(width.max())
    inside = steps < width[:, :, None]
    k = low[:, :, None] + np.where(inside, steps, 0)
    log_weight = np.where(inside, draws.log_share(k) + tilt[:, None, None] * k, -np.inf)
    top = log_weight.max(axis=2)
    weight = np.exp(log_weight - top[:, :, None])
    mass = weight.sum(axis=2)
    length = next_fast_len(int(width.sum(axis=1).max()), real=True)
    spectrum = rfft(weight / mass[:, :, None], n=length, axis=2).prod(axis=1)
    above = low.sum(axis=1)[:, None] + np.arange(length) - both[:, None]
    share = np.exp(-tilt[:, None] * np.maximum(above, 0)) * irfft(spectrum, n=length, axis=1)
    tail = np.where(above >= 0, share, 0).sum(axis=1)
    return np.asarray((top + np.log(mass)).sum(axis=1) - tilt * both + np.log(tail))


def _tilt(both: Floats, active: Floats, having: Floats, total: Floats) -> Floats:
    """(rows,) the log odds at which about `both` are expected; 0 where as many are without any."""
    low, high = np.zeros(len(both)), np.full(len(both), LARGEST_TILT)
    for _ in range(24):
        middle = (low + high) / 2
        fewer = _mean(middle, active, having, total).sum(axis=1) < both
        low, high = np.where(fewer, middle, low), np.where(fewer, high, middle)
    return np.where(_mean(np.zeros(len(both)), active, having, total).sum(axis=1) < both, low, 0)


def _mean(tilt: Floats, a: Floats, h: Floats, n: Floats) -> Floats:
    """(rows, strata) about the mean of the tilted count, x (n - a - h + x) = odds (a - x)(h - x).

    Source: Fisher's non-central hypergeometric distribution; Cornfield 1956, Proceedings of the
    Third Berkeley Symposium 4, 135-148.
    """
    odds = np.exp(tilt)[:, None]
    middle, last = n - a - h + odds * (a + h), odds * a * h
    root = np.sqrt(np.maximum(middle**2 - 4 * (odds - 1) * last, 0))
    return np.asarray(2 * last / np.maximum(middle + root, 1e-300))


def _window(tilt: Floats, a: Floats, h: Floats, n: Floats) -> tuple[Floats, Floats]:
    """(rows, strata) the first count that matters and how many do, at that tilt."""
    x = _mean(tilt, a, h, n)
    cells = [np.maximum(cell, 0) + 0.5 for cell in (x, a - x, h - x, n - a - h + x)]
    reach = np.ceil(8 / np.sqrt(np.sum([1 / cell for cell in cells], axis=0))) + 8
    lowest, highest = np.maximum(0, a + h - n), np.minimum(a, h)
    low = np.clip(np.floor(x) - reach, lowest, highest)
    return low, np.clip(np.ceil(x) + reach, lowest, highest) - low + 1
