"""How many problems it takes to see that a swap moves answers; pure functions of arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from studyrun_classify.params import SwapTest

__all__ = ["LARGEST", "moved_test_needs", "moved_test_power"]

LARGEST = 200_000
"""Where more problems were needed, no number is given."""

Floats = NDArray[np.float64]


def moved_test_power(n: Floats, test: SwapTest) -> Floats:
    """The power of the exact one-sided binomial test of n problems.

        P(X >= c | n, moved),    c the smallest with P(X >= c | n, by_chance) <= alpha

    Args:
        n: problems, any shape.
        test: the two shares and the level.
    """
    critical = binom.isf(test.alpha, n, test.by_chance) + 1
    return np.asarray(binom.sf(critical - 1, n, test.moved), dtype=np.float64)


def moved_test_needs(test: SwapTest) -> int | None:
    """The smallest n from which on the power never falls below `test.power` again.

    The power of an exact test is no steady function of n. None where more than `LARGEST` problems
    were needed.
    """
    upper = 16
    while not (_enough(upper, 2 * upper, test)).all():
        upper *= 2
        if upper > LARGEST:
            return None
    short = np.flatnonzero(~_enough(1, upper, test))
    return int(short[-1]) + 2 if len(short) else 1


def _enough(first: int, last: int, test: SwapTest) -> NDArray[np.bool_]:
    return moved_test_power(np.arange(first, last + 1, dtype=np.float64), test) >= test.power
