"""All features tested, some at a time, so that memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun import Evidence
from studyrun_classify.params import EnrichmentParams
from studyrun_classify.statistics.cells import always_on, cells_of
from studyrun_classify.statistics.incidence import incidence_of, pieces
from studyrun_classify.statistics.magnitude import Magnitude
from studyrun_classify.statistics.presence import Presence
from studyrun_classify.statistics.sets import in_sets
from studyrun_classify.statistics.tests import Tests

__all__ = ["Block", "Blocks"]

Places = NDArray[np.intp]
AT_ONCE = 2**21
"""Numbers that the largest array of a block may hold; a block takes about ten such arrays."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some features that are tested the same way."""

    tests: type[Tests]
    features: Places
    """Their places in the incidence."""
    start: int
    """The number of their first pair with a concept; pairs are counted feature by feature."""
    stop: int
    """The number of the first pair after theirs."""

    @property
    def pairs(self) -> slice:
        """Their pairs among all pairs."""
        return slice(self.start, self.stop)

    def places(self, pairs: Places) -> tuple[Places, Places]:
        """Which of the block's features, and which concepts, some of its pairs are."""
        n_concepts = (self.stop - self.start) // max(len(self.features), 1)
        features, concepts = np.divmod(pairs - self.start, max(n_concepts, 1))
        return features, concepts


class Blocks:
    """The features that are ever active, in blocks, against all concepts, on both halves."""

    def __init__(self, evidence: Evidence, params: EnrichmentParams) -> None:
        """Nothing is tested yet.

        Raises:
            StudyError: the problems have no such column as `strata` names.
        """
        incidence = incidence_of(evidence, params.strata)
        self.cells = cells_of(incidence, evidence.seed)
        self.incidence = in_sets(incidence, self.cells.half, params)
        self.n_active = np.diff(self.incidence.strength.indptr)
        self.every = list(self._every(always_on(self.incidence, params.always_on)))
        self.level, self.min_support = params.alpha, params.min_support
        self._kept: dict[int, Tests] = {}

    @property
    def n_pairs(self) -> int:
        """Of all features that are ever active with all concepts."""
        return self.every[-1].stop if self.every else 0

    @property
    def features(self) -> pl.DataFrame:
        """(feature, n) of all features: how many problems are looked at."""
        n = pl.Series(self.n_active, dtype=pl.UInt32)
        return pl.DataFrame({"feature": self.incidence.features, "n": n})

    @property
    def eligible(self) -> NDArray[np.bool_]:
        """(pairs,) whether the feature has problems enough to be labelled at all."""
        features = np.concatenate([np.empty(0, np.intp), *(each.features for each in self.every)])
        return np.repeat(self.n_active[features] >= self.min_support, len(self.incidence.concepts))

    def __iter__(self) -> Iterator[tuple[Block, Tests]]:
        for number, block in enumerate(self.every):
            yield block, self._tests(number)

    def _every(self, strong: NDArray[np.bool_]) -> Iterator[Block]:
        counted = self.cells.base.size
        ranked = self.cells.applies.sum() + 2 * len(self.cells.half)
        kinds = ((Presence, ~strong, counted), (Magnitude, strong, counted + int(ranked)))
        start, n_concepts = 0, len(self.incidence.concepts)
        for tests, which, numbers in kinds:
            places = np.flatnonzero((self.n_active > 0) & which)
            for some in pieces(len(places), AT_ONCE // numbers):
                stop = start + n_concepts * (some.stop - some.start)
                yield Block(tests, places[some], start, stop)
                start = stop

    def _tests(self, number: int) -> Tests:
        """The tests of a block; where there are one or two, what they count is kept."""
        if number not in self._kept:
            if len(self._kept) == 2:
                self._kept.clear()
            block = self.every[number]
            some = self.incidence.of(block.features)
            self._kept[number] = block.tests(some, self.cells, self.level)
        return self._kept[number]
