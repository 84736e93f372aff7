"""Features tested by how strongly they are active: more strongly with the concept than without."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun_classify.statistics.association import share
from studyrun_classify.statistics.cells import Side
from studyrun_classify.statistics.mann_whitney import RankTest, rank_test, ranks_of
from studyrun_classify.statistics.tests import Claims, Floats, Places, Tests, effects, nullable

__all__ = ["Magnitude"]

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Concepts that are tested on the same problems."""

    concepts: Places
    where: Bools
    """(problems,) on which."""
    alike: bool = True
    """Stratum by stratum."""


class Magnitude(Tests):
    """The rank test of |activation|, stratum by stratum; dense in features x problems."""

    def _claims(self) -> Claims:
        return Claims(self._alike("all").log_p, self._within("all").log_p)

    def _plain(self) -> pl.DataFrame:
        plain = self._ranked("all", [Group(np.arange(self.shape[1]), self._every, alike=False)])
        odds = plain.log_odds
        columns = {"p": plain.p, "log_odds": odds.value, "ci_low": odds.low, "ci_high": odds.high}
        return pl.DataFrame({name: nullable(each.ravel()) for name, each in columns.items()})

    def rough(self, side: Side) -> Floats:
        """By ranks among problems alike."""
        return self._alike(side).p

    def exact(self, side: Side, features: Places, concepts: Places) -> Claims:
        """The same, and among problems in which all parts hold; ranks are as exact as it gets."""
        if not len(features):
            return Claims(np.empty(0), np.empty(0))
        tests = (self._alike(side), self._within(side))
        return Claims(*(test.at(features, concepts).log_p for test in tests))

    def numbers(self, side: Side, features: Places, concepts: Places) -> pl.DataFrame:
        """Odds are those of the AUROC; rates are null, as nearly all problems are active."""
        alike = self._alike(side).at(features, concepts)
        within = (self._within(side) if len(features) else self._alike(side)).at(features, concepts)
        nothing = pl.lit(None, pl.Float64)
        return self.counts(side, features, concepts).with_columns(
            rate=nothing,
            base_rate=share("n_with", "n_total"),
            lift=nothing,
            test=pl.lit("magnitude"),
            auroc=nullable(alike.auroc),
            expected_rate=nothing,
            **effects(alike.log_odds, within.log_odds.value),
        )

    @cached_property
    def _ranks(self) -> Floats:
        """(features, problems) of |activation|, 0 where inactive."""
        return ranks_of(self.incidence.strength.toarray())

    @property
    def _every(self) -> Bools:
        return np.ones(len(self.cells.half), dtype=np.bool_)

    def _alike(self, side: Side) -> RankTest:
        fixed = self.cells.fixed
        groups = [Group(np.flatnonzero(fixed == says), self._every, not says) for says in (0, 1)]
        return self.kept("alike", side, lambda side: self._ranked(side, groups))

    def _within(self, side: Side) -> RankTest:
        """Of concepts with parts, among problems in which all their parts hold."""
        cells, same = self.cells, defaultdict(list)
        for place, whole in enumerate(cells.wholes):  # those with the same parts are ranked once
            same[cells.applies[:, place].tobytes(), cells.fixed[whole]].append(place)
        groups = [
            Group(cells.wholes[places], cells.applies[:, places[0]], not fixed)
            for (_, fixed), places in same.items()
        ]
        return self.kept("within", side, lambda side: self._ranked(side, groups))

    def _ranked(self, side: Side, groups: Sequence[Group]) -> RankTest:
        """Every feature with the concepts of each group; NaN for concepts that are in none.

        All groups at once: each of their strata is one of the strata of the test, in which only its
        own concepts hold, so that it says nothing of the others.
        """
        cells, inside = self.cells, self.cells.problems(side)
        groups = [group for group in groups if len(group.concepts)]
        rows = [np.flatnonzero(inside & group.where) for group in groups]
        concepts = np.concatenate([np.empty(0, np.intp), *(group.concepts for group in groups)])
        problems = np.concatenate([np.empty(0, np.intp), *rows])
        holds = np.zeros((len(problems), len(concepts)), dtype=np.bool_)
        stratum, row, column = np.empty(len(problems), dtype=np.intp), 0, 0
        for number, (group, some) in enumerate(zip(groups, rows, strict=True)):
            own = slice(row, row + len(some))
            columns = slice(column, column + len(group.concepts))
            holds[own, columns] = cells.holds[np.ix_(some, group.concepts)]
            stratum[own] = number * cells.n_strata + cells.stratum[some] * group.alike
            row, column = own.stop, columns.stop
        test = rank_test(self._ranks[:, problems], holds, stratum)
        return test.among(concepts, self.shape[1])
