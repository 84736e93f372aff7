"""Whether pairs of features fire together: exact tests, and what they come to; pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from studyrun_classify.statistics.association import adjusted, level_of
from studyrun_classify.statistics.discovery import may_matter
from studyrun_classify.statistics.stratified import lower_bound
from studyrun_classify.statistics.tails import hypergeometric_tail
from studyrun_features.active import Floats
from studyrun_features.pairs import Pairs
from studyrun_features.params import Coactivation

__all__ = ["TOGETHER", "VERDICTS", "Judged", "judged"]

TOGETHER = "together"
VERDICTS = (TOGETHER, "explained", "weak", "insufficient", "chance")
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Judged:
    """Pairs and what their tests came to; arrays (pairs,)."""

    pairs: Pairs
    params: Coactivation
    p: Floats
    """P(X >= both), X hypergeometric: the second active on any so many of the problems."""
    p_alike: Floats
    """The same if the second were active on any so many problems of each stratum. Exact where it
    may matter to Benjamini-Hochberg, elsewhere by the normal approximation."""

    @cached_property
    def q(self) -> Floats:
        """`p` after Benjamini-Hochberg over all pairs."""
        return adjusted(self.p)

    @cached_property
    def q_alike(self) -> Floats:
        """`p_alike` likewise."""
        return adjusted(self.p_alike)

    @property
    def large(self) -> Bools:
        """Whether the effect among all problems counts."""
        return self._counts(self.pairs.phi, self.pairs.lift)

    @property
    def large_alike(self) -> Bools:
        """Whether it counts both among all problems and among those that are alike."""
        return self.large & self._counts(self.pairs.phi_alike, self.pairs.lift_alike)

    @cached_property
    def together(self) -> Bools:
        """Both q at most alpha, and an effect that counts both ways."""
        level = self.params.alpha
        return (self.q <= level) & (self.q_alike <= level) & self.large_alike

    @cached_property
    def verdicts(self) -> NDArray[np.str_]:
        """What each pair comes to.

        - `together`: both q are at most alpha, and the effect (phi or lift) counts both ways.
        - `explained`: found among all problems with an effect that counts, which is not there among
          problems that are alike.
        - `weak`: found among all problems, with an effect too small to count.
        - `insufficient`: not found, and with the smallest effect that counts it would not have been
          either; or found among all problems and not among alike ones, though the effect is there.
        - `chance`: not found, though it could have been.
        """
        found, level = self.q <= self.params.alpha, level_of(self.q, self.params.alpha)
        undetectable = _tail(self.pairs, self._least()) > level
        cases = [
            self.together,
            found & self.large & ~self.large_alike,
            found & ~self.large,
            found | undetectable,
        ]
        return np.select(cases, VERDICTS[:-1], VERDICTS[-1])

    def _counts(self, phi: Floats, lift: Floats) -> Bools:
        """Whether an effect is large enough to count; not where it is undefined."""
        return np.asarray((phi >= self.params.min_phi) | (lift >= self.params.min_lift))

    def _least(self) -> Floats:
        """The fewest problems on both of which the effect would count."""
        of = self.pairs.margins
        by_phi = of.expected + self.params.min_phi * of.spread
        least = np.minimum(by_phi, of.expected * self.params.min_lift)
        return np.asarray(np.ceil(least - 1e-9))


def judged(pairs: Pairs, params: Coactivation) -> Judged:
    """Every pair tested among all problems and among those that are alike."""
    return Judged(pairs, params, _tail(pairs, pairs.both), _alike(pairs, params.alpha))


def _tail(pairs: Pairs, both: Floats) -> Floats:
    of = pairs.margins
    return hypergeometric_tail(both, of.n_first, of.n_second, np.full(len(both), of.n))


def _alike(pairs: Pairs, alpha: float) -> Floats:
    """(pairs,) p among alike problems, exact where it may matter to Benjamini-Hochberg.

    The approximation is that of `studyrun_classify.statistics.stratified.normal_p`, whose tables
    would be too large for all pairs.
    """
    of = pairs.margins
    if len(of.total) == 1:
        return _tail(pairs, pairs.both)
    excess = pairs.both - of.expected_alike - 0.5
    varies = of.deviation_alike > 0
    z = np.divide(excess, of.deviation_alike, out=np.zeros(len(excess)), where=varies)
    p = np.where(varies, ndtr(-z), 1.0)
    exact = np.flatnonzero(may_matter(lower_bound(p), alpha))
    tails = (np.exp(tables.log_tail()) for tables in pairs.tables(exact))
    p[exact] = np.concatenate([np.empty(0), *tails])
    return p
