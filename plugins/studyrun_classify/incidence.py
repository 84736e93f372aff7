"""Who is active where, and which concept holds where, as matrices; and the counts they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from studyrun import Concept, Evidence

__all__ = ["Incidence", "counts", "halves", "incidence_of"]

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Incidence:
    """Features, problems and concepts in fixed orders, and how they meet."""

    features: NDArray[np.uint32]
    """(features,) the features' numbers."""
    concepts: tuple[Concept, ...]
    strength: csr_array
    """(features, problems) |activation|, sparse: what is stored is active."""
    holds: Bools
    """(problems, concepts) whether the concept holds."""
    applies: Bools
    """(problems, concepts) whether all parts of the concept hold; true for one without parts."""

    def on(self, problems: NDArray[np.intp]) -> Incidence:
        """The same on some of the problems only."""
        return replace(
            self,
            strength=self.strength[:, problems],
            holds=self.holds[problems],
            applies=self.applies[problems],
        )

    def of(self, features: Bools) -> Incidence:
        """The same for some of the features only."""
        return replace(
            self, features=self.features[features], strength=self.strength[np.flatnonzero(features)]
        )

    def with_parts(self) -> Incidence:
        """The same for the concepts that have parts only; `applies` remembers the parts."""
        known = {concept.name for concept in self.concepts}
        columns = [i for i, c in enumerate(self.concepts) if not known.isdisjoint(c.parts)]
        return replace(
            self,
            concepts=tuple(self.concepts[i] for i in columns),
            holds=self.holds[:, columns],
            applies=self.applies[:, columns],
        )


def incidence_of(evidence: Evidence) -> Incidence:
    """The matrices of the evidence; features by rank, problems as in its table."""
    features = evidence.features["feature"].to_numpy()
    problems = evidence.problems["problem"].to_numpy()
    pairs = evidence.activations
    strength = csr_array(
        (
            pairs["activation"].cast(pl.Float64).abs().to_numpy(),
            (_places(pairs["feature"], features), _places(pairs["problem"], problems)),
        ),
        shape=(len(features), len(problems)),
    )
    holds = np.zeros((len(problems), len(evidence.concepts)), dtype=np.bool_)
    held = evidence.membership
    holds[_places(held["problem"], problems), held["concept"].to_numpy()] = True
    return Incidence(
        features=features.astype(np.uint32),
        concepts=evidence.concepts,
        strength=strength,
        holds=holds,
        applies=_all_parts(holds, evidence.concepts),
    )


def _places(values: pl.Series, order: NDArray[np.uint32]) -> NDArray[np.intp]:
    """The index of each value in `order`, which holds every value once."""
    by_value = np.argsort(order, kind="stable")
    return by_value[np.searchsorted(order, values.to_numpy(), sorter=by_value)]


def _all_parts(holds: Bools, concepts: Sequence[Concept]) -> Bools:
    """Column c: the problems in which every part of c holds; unknown parts say nothing."""
    index = {concept.name: i for i, concept in enumerate(concepts)}
    applies = np.ones_like(holds)
    for column, concept in enumerate(concepts):
        for part in concept.parts:
            if part in index:
                applies[:, column] &= holds[:, index[part]]
    return applies


def halves(n_problems: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Two halves of the problems, each ascending; the same for the same seed.

    The first has the odd problem where there is one.
    """
    shuffled = np.random.default_rng(seed).permutation(n_problems)
    middle = (n_problems + 1) // 2
    return np.sort(shuffled[:middle]), np.sort(shuffled[middle:])


def counts(incidence: Incidence, *, within_parts: bool = False) -> pl.DataFrame:
    """The table that `associate` takes: every feature with every concept, feature by feature.

    Args:
        incidence: the matrices.
        within_parts: count, for each concept, only the problems in which all its parts hold.
    """
    applies = incidence.applies if within_parts else np.ones_like(incidence.holds)
    holds = incidence.holds & applies
    active = incidence.strength.astype(np.bool_).astype(np.float64)
    shape = (len(incidence.features), holds.shape[1])
    columns = {
        "n_active": active @ applies.astype(np.float64),
        "n_active_with": active @ holds.astype(np.float64),
        "n_total": np.broadcast_to(applies.sum(axis=0), shape),
        "n_with": np.broadcast_to(holds.sum(axis=0), shape),
    }
    frame = pl.DataFrame({name: _flat(values) for name, values in columns.items()})
    return pairs_of(incidence).hstack(frame)


def pairs_of(incidence: Incidence) -> pl.DataFrame:
    """(feature, concept, kind) of every feature with every concept, feature by feature."""
    concepts, n_features = incidence.concepts, len(incidence.features)
    feature = np.repeat(incidence.features, len(concepts))
    names = pl.Series([c.name for c in concepts] * n_features, dtype=pl.String)
    kinds = pl.Series([c.kind for c in concepts] * n_features, dtype=pl.String)
    return pl.DataFrame({"feature": feature, "concept": names, "kind": kinds})


def _flat(values: NDArray[np.float64]) -> NDArray[np.uint32]:
    return np.asarray(values).astype(np.uint32).ravel()
