"""Intervals for shares and for the odds of a two-by-two table; pure functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

__all__ = ["Estimate", "Interval", "log_odds", "normal_quantile", "wilson"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """The two ends, of one shape."""

    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A value and its interval, of one shape."""

    value: Floats
    low: Floats
    high: Floats


def normal_quantile(confidence: float) -> float:
    """The z with P(|N(0, 1)| <= z) = confidence."""
    return float(ndtri((1 + confidence) / 2))


def wilson(successes: Floats, n: Floats, confidence: float = 0.95) -> Interval:
    """Wilson's score interval for a share, within [0, 1]; NaN where n is 0.

    centre = (s + z^2/2) / (n + z^2), half width = z / (n + z^2) * sqrt(s (n - s) / n + z^2/4)

    Source: Wilson 1927, Journal of the American Statistical Association 22, 209-212.
    """
    z2 = normal_quantile(confidence) ** 2
    n = np.where(n > 0, n, np.nan)
    centre = (successes + z2 / 2) / (n + z2)
    half = np.sqrt(z2 * (successes * (n - successes) / n + z2 / 4)) / (n + z2)
    low = np.where(successes == 0, 0.0, centre - half)
    high = np.where(successes == n, 1.0, centre + half)
    return Interval(np.where(np.isnan(n), np.nan, low), np.where(np.isnan(n), np.nan, high))


def log_odds(a: Floats, b: Floats, c: Floats, d: Floats, confidence: float = 0.95) -> Estimate:
    """Log odds ratio of the table [[a, b], [c, d]] with half a problem added to each cell.

    log((a + 1/2)(d + 1/2) / ((b + 1/2)(c + 1/2))), standard error sqrt(sum 1 / (cell + 1/2))

    Finite for every table; shrunk towards 0 where cells are small.
    Source: Haldane 1956, Annals of Human Genetics 20, 309-311; Anscombe 1956, Biometrika 43,
    461-464.
    """
    cells = [cell + 0.5 for cell in (a, b, c, d)]
    value = np.log(cells[0]) - np.log(cells[1]) - np.log(cells[2]) + np.log(cells[3])
    half = normal_quantile(confidence) * np.sqrt(np.sum([1 / cell for cell in cells], axis=0))
    return Estimate(value, value - half, value + half)
