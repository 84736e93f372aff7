"""Pairs of features counted on the problems, and how far they are from chance; pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from studyrun_classify.statistics.incidence import pieces
from studyrun_classify.statistics.stratified import Tables
from studyrun_features.active import Floats, Places

__all__ = ["Activity", "Margins", "Pairs", "permuted"]

AT_ONCE = 2**21
"""Numbers of a table of pairs by strata that are held at once."""
FEATURES = 128
"""Rows that are made dense at once."""


@dataclass(frozen=True, eq=False)
class Margins:
    """What is known of pairs before it is counted how often both are active.

    Attributes named after a pair are arrays (pairs,); every two features are one, the earlier one
    first. `alike` says that strata are taken into account: s runs over them, f_s is how often a
    feature is active in one and t_s its problems.
    """

    inside: Floats
    """(strata, features) f_s."""
    total: Floats
    """(strata,) t_s."""

    @cached_property
    def places(self) -> tuple[Places, Places]:
        """The first and the second feature of each pair."""
        first, second = np.triu_indices(self.inside.shape[1], 1)
        return first, second

    @property
    def n(self) -> float:
        """How many problems there are."""
        return float(self.total.sum())

    @cached_property
    def n_first(self) -> Floats:
        """Problems on which the first is active."""
        return np.asarray(self.inside.sum(axis=0)[self.places[0]])

    @cached_property
    def n_second(self) -> Floats:
        """Problems on which the second is active."""
        return np.asarray(self.inside.sum(axis=0)[self.places[1]])

    @cached_property
    def expected(self) -> Floats:
        """Problems on which both would be active by chance: first second / n."""
        return self.n_first * self.n_second / self.n

    @cached_property
    def expected_alike(self) -> Floats:
        """The same if only the stratum mattered: sum_s first_s second_s / t_s."""
        return self._products(self.inside, self.total)

    @cached_property
    def spread(self) -> Floats:
        """Of `phi`: sqrt(first (n - first) second (n - second)) / n."""
        first, second = self.n_first, self.n_second
        return np.sqrt(first * (self.n - first) * second * (self.n - second)) / self.n

    @cached_property
    def spread_alike(self) -> Floats:
        """Of `phi_alike`: sqrt(v(first) v(second)), v(f) = sum_s f_s (t_s - f_s) / t_s."""
        v = (self._varying / self.total[:, None]).sum(axis=0)
        return np.asarray(np.sqrt(v[self.places[0]] * v[self.places[1]]))

    @cached_property
    def deviation_alike(self) -> Floats:
        """Standard deviation of `both` if only the stratum mattered, by Mantel and Haenszel.

        The root of sum_s first_s (t_s - first_s) second_s (t_s - second_s) / (t_s^2 (t_s - 1))
        """
        t = self.total
        return np.sqrt(self._products(self._varying, t**2 * np.maximum(t - 1, 1)))

    @property
    def _varying(self) -> Floats:
        return self.inside * (self.total[:, None] - self.inside)

    def _products(self, by_stratum: Floats, divisor: Floats) -> Floats:
        """(pairs,) sum_s x_s(first) x_s(second) / divisor_s, of x (strata, features)."""
        square: Floats = (by_stratum / divisor[:, None]).T @ by_stratum
        return np.asarray(square[self.places])


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """How often both features of each pair are active."""

    margins: Margins
    both: Floats
    """(pairs,)"""

    @property
    def phi(self) -> Floats:
        """Correlation of being active: (both - expected) / spread."""
        return _ratio(self.both - self.margins.expected, self.margins.spread)

    @property
    def phi_alike(self) -> Floats:
        """The same with the means of the strata taken out; NaN where nothing varies within them."""
        return _ratio(self.both - self.margins.expected_alike, self.margins.spread_alike)

    @property
    def lift(self) -> Floats:
        """How many times what chance gives: both / expected."""
        return _ratio(self.both, self.margins.expected)

    @property
    def lift_alike(self) -> Floats:
        """The same if only the stratum mattered: both / expected_alike."""
        return _ratio(self.both, self.margins.expected_alike)

    def tables(self, some: Places) -> Iterator[Tables]:
        """Two-by-two tables by stratum of those pairs, some after the other.

        Of `both` only the sum over strata is known, and only that is ever asked for: it stands in
        the first stratum.
        """
        total = self.margins.total[:, None]
        for piece in pieces(len(some), AT_ONCE // len(total)):
            first, second = (self.margins.inside[:, p[some[piece]]] for p in self.margins.places)
            both = np.zeros_like(first)
            both[0] = self.both[some[piece]]
            yield Tables(first, both, second, np.broadcast_to(total, first.shape))


@dataclass(frozen=True, slots=True, eq=False)
class Activity:
    """Which feature is active on which problem, and which problems are alike."""

    features: NDArray[np.uint32]
    """(features,) their numbers."""
    active: csr_array
    """(features, problems) 1 where active."""
    stratum: Places
    """(problems,) 0, 1, ..., each of which occurs."""

    def margins(self) -> Margins:
        """How often each feature is active in each stratum."""
        n, total = len(self.stratum), np.bincount(self.stratum)
        places = (np.arange(n), self.stratum)
        by_stratum = csr_array((np.ones(n), places), shape=(n, len(total)))
        return Margins((self.active @ by_stratum).toarray().T, total.astype(np.float64))

    def pairs(self, margins: Margins) -> Pairs:
        """Every pair counted, with margins that are known already."""
        together = (self.active @ self.active.T).toarray()
        return Pairs(margins, np.asarray(together[margins.places], dtype=np.float64))


def permuted(activity: Activity, rng: np.random.Generator) -> Activity:
    """Every feature active on random problems, as many of each stratum as it was.

    Each feature is moved by itself, so what two have in common beyond the strata is gone.
    """
    moved = [
        csr_array(_shuffled(activity.active[some].toarray() != 0, activity.stratum, rng))
        for some in pieces(len(activity.features), FEATURES)
    ]
    return replace(activity, active=vstack(moved, format="csr").astype(np.float64))


def _shuffled(
    active: NDArray[np.bool_], stratum: Places, rng: np.random.Generator
) -> NDArray[np.bool_]:
    for each in range(int(stratum.max(initial=-1)) + 1):
        columns = np.flatnonzero(stratum == each)
        active[:, columns] = rng.permuted(active[:, columns], axis=1)
    return active


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))
