"""What one half of the problems finds and the other confirms, over all pairs of a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studyrun_classify.statistics.association import adjusted
from studyrun_classify.statistics.cells import Side
from studyrun_classify.statistics.tests import Claims

__all__ = ["Direction", "accepted", "direction", "may_matter"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]

EVIDENCE: dict[Side, str] = {
    "second": "second half, found on the first",
    "first": "first half, found on the second",
}


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """What one half found, and what became of it on the other; arrays (found,)."""

    confirming: Side
    pairs: Places
    """Which were found, ascending."""
    log_p: Floats
    """Of p among problems alike, on the half that found them,"""
    q_discovery: Floats
    """and p after Benjamini-Hochberg over all eligible pairs."""
    q_confirmation: Floats
    """On the other half, after Benjamini-Hochberg over the pairs found."""

    @property
    def evidence(self) -> str:
        """For the reader: which half confirmed."""
        return EVIDENCE[self.confirming]

    def among(self, start: int, stop: int) -> Direction:
        """Of the pairs from `start` to before `stop` only."""
        some = slice(*np.searchsorted(self.pairs, [start, stop]))
        return Direction(
            self.confirming,
            self.pairs[some],
            self.log_p[some],
            self.q_discovery[some],
            self.q_confirmation[some],
        )


def accepted(p: Floats, alpha: float) -> tuple[Places, Floats]:
    """Which of the p-values Benjamini-Hochberg accepts at `alpha`, ascending, and their q-values.

    Those above alpha are only counted: their q is above it, too, and no smaller p depends on them.
    """
    small = np.flatnonzero(p <= alpha)
    q = adjusted(p[small]) * (len(p) / max(len(small), 1))
    return small[q <= alpha], q[q <= alpha]


def may_matter(least: Floats, alpha: float) -> Bools:
    """(pairs,) those of which Benjamini-Hochberg at `alpha` might accept the exact p.

    If every exact p were as small as it can be, it would accept at least as many, up to at least
    as large a p.

    Args:
        least: (pairs,) what the exact p is not below.
        alpha: false-discovery rate.
    """
    most = max(len(accepted(least, alpha)[0]), 1)
    return np.asarray(least <= alpha * most / max(len(least), 1))


def direction(
    confirming: Side, p: Floats, pairs: Places, finds: Claims, tries: Claims, alpha: float
) -> Direction:
    """Found on one half at `alpha`, then confirmed on the other at `alpha` / 2.

    A pair is found if Benjamini-Hochberg over all pairs accepts it and, where the concept has
    parts, Benjamini-Hochberg over the pairs so accepted accepts it also among problems in which all
    parts hold. What is found is tried on the other half, where both must be small at once.

    Whatever was found, of what is confirmed at most alpha / 2 is false on average: the halves share
    no problem. So of what is confirmed in this direction or the opposite one, at most alpha.

    Args:
        confirming: the half that tries.
        p: (tested,) of all pairs tested, on the half that finds; exact for those in `pairs`.
        pairs: all of them that may be found, ascending.
        finds: their p-values on the half that finds,
        tries: and on the half that confirms; arrays (pairs,).
        alpha: false-discovery rate of both directions together.
    """
    found, q = accepted(p, alpha)
    place = np.searchsorted(pairs, found)
    stands = np.ones(len(found), dtype=np.bool_)
    whole = ~np.isnan(finds.parts[place])
    stands[whole] = adjusted(finds.parts[place[whole]]) <= alpha
    found, q, place = found[stands], q[stands], place[stands]
    return Direction(confirming, found, finds.log_alike[place], q, adjusted(tries.p[place]))
