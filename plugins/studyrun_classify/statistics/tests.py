"""What is asked of features, whichever way they are tested against concepts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun_classify.statistics.cells import Cells, CountedCells, Side, counted_cells
from studyrun_classify.statistics.incidence import Incidence, counted_pairs
from studyrun_classify.statistics.intervals import Estimate

__all__ = ["Claims", "Floats", "Places", "Tests", "effects", "nullable"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Claims:
    """Logs of one-sided p-values of pairs of a feature and a concept; arrays (pairs)."""

    log_alike: Floats
    """Among problems of one stratum; among all for a concept that does not vary within strata."""
    log_parts: Floats
    """The same among problems in which all parts of the concept hold; NaN where it has none."""

    @property
    def alike(self) -> Floats:
        """The first as p."""
        return np.asarray(np.exp(self.log_alike))

    @property
    def parts(self) -> Floats:
        """The second as p."""
        return np.asarray(np.exp(self.log_parts))

    @property
    def p(self) -> Floats:
        """The larger of the two.

        It must be small before a concept, and neither the stratum nor its parts, is said to be it.
        """
        return np.asarray(np.fmax(self.alike, self.parts))


class Tests(ABC):
    """Some features and all concepts, on either half of the problems and on all of them.

    What was computed is kept, so one instance is for as many features as memory allows.
    """

    def __init__(self, incidence: Incidence, cells: Cells, level: float) -> None:
        """Of the features of `incidence`; p-values above `level` may be rough."""
        self.incidence, self.cells, self.level = incidence, cells, level
        self.shape = (len(incidence.features), len(incidence.concepts))
        self._kept: dict[tuple[str, Side], Any] = {}

    @cached_property
    def counted(self) -> CountedCells:
        """Every feature with every concept in every cell."""
        return counted_cells(self.incidence.strength, self.cells)

    @cached_property
    def claims(self) -> Claims:
        """The p-values on all problems, arrays (features, concepts)."""
        return self._claims()

    def kept(self, name: str, side: Side, make: Callable[[Side], T]) -> T:
        """What `make` gives for that side, made once."""
        if (name, side) not in self._kept:
            self._kept[name, side] = make(side)
        return cast(T, self._kept[name, side])

    @abstractmethod
    def _claims(self) -> Claims: ...

    @cached_property
    def plain(self) -> pl.DataFrame:
        """`p`, `log_odds`, `ci_low`, `ci_high` of every pair on all problems, alike or not."""
        return self._plain()

    @abstractmethod
    def _plain(self) -> pl.DataFrame: ...

    @abstractmethod
    def rough(self, side: Side) -> Floats:
        """(features, concepts) p among problems alike on that side, or a number near to it.

        `lower_bound` of it is not above the p that `exact` gives.
        """

    @abstractmethod
    def exact(self, side: Side, features: Places, concepts: Places) -> Claims:
        """The p-values of some pairs on that side; arrays (pairs,)."""

    @abstractmethod
    def numbers(self, side: Side, features: Places, concepts: Places) -> pl.DataFrame:
        """Some pairs on that side: their counts and effects, p-values apart.

        Columns: feature, concept, kind, n_active, n_active_with, n_total, n_with, rate, base_rate,
        lift, test (`presence` or `magnitude`), auroc, expected_rate (if only the stratum mattered),
        log_odds_alike, alike_low, alike_high (among problems of one stratum), log_odds_parts (among
        those in which all parts of the concept hold).

        Args:
            side: which problems.
            features: (pairs,) places in the incidence.
            concepts: (pairs,) places in the concepts.
        """

    def counts(self, side: Side, features: Places, concepts: Places) -> pl.DataFrame:
        """The table that `associate` takes, for some pairs on that side."""
        here = self.counted.of(side)[0].at(features, concepts)
        numbers = {
            "n_active": here.active.sum(axis=0),
            "n_active_with": here.both.sum(axis=0),
            "n_total": here.total.sum(axis=0),
            "n_with": here.having.sum(axis=0),
        }
        return counted_pairs(self.incidence, features, concepts, numbers)

    def every_pair(self) -> tuple[Places, Places]:
        """Places of features and of concepts: every feature with every concept."""
        features, concepts = np.indices(self.shape)
        return features.ravel(), concepts.ravel()


def effects(alike: Estimate, parts: Floats) -> dict[str, pl.Series]:
    """The odds among problems alike, and in which all parts hold, as columns."""
    return {
        "log_odds_alike": nullable(alike.value),
        "alike_low": nullable(alike.low),
        "alike_high": nullable(alike.high),
        "log_odds_parts": nullable(parts),
    }


def nullable(values: Floats) -> pl.Series:
    """The values as a column in which NaN is null."""
    return pl.Series(values, dtype=pl.Float64, nan_to_null=True)
