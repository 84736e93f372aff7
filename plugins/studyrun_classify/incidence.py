"""Who is active where, and which concept holds where, as matrices; and the counts they give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from studyrun import Concept, Evidence, StudyError

__all__ = ["Incidence", "counts", "halves", "incidence_of", "pairs_of"]

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
    stratum: NDArray[np.intp]
    """(problems,) which problems are alike; associations must hold among those."""

    def on(self, problems: NDArray[np.intp]) -> Incidence:
        """The same on some of the problems only."""
        return replace(
            self,
            strength=self.strength[:, problems],
            holds=self.holds[problems],
            applies=self.applies[problems],
            stratum=self.stratum[problems],
        )

    def of(self, features: Bools) -> Incidence:
        """The same for some of the features only."""
        return replace(
            self, features=self.features[features], strength=self.strength[np.flatnonzero(features)]
        )

    def with_parts(self) -> Incidence:
        """The same for the concepts that have parts among the concepts."""
        known = {concept.name for concept in self.concepts}
        columns = [i for i, c in enumerate(self.concepts) if not known.isdisjoint(c.parts)]
        return replace(
            self,
            concepts=tuple(self.concepts[i] for i in columns),
            holds=self.holds[:, columns],
            applies=self.applies[:, columns],
        )

    def strata(self) -> Iterator[Incidence]:
        """The same on the problems of each stratum."""
        for stratum in np.unique(self.stratum):
            yield self.on(np.flatnonzero(self.stratum == stratum))

    @property
    def active(self) -> csr_array:
        """(features, problems) 1 where active."""
        return self.strength.astype(np.bool_).astype(np.float64)


def incidence_of(evidence: Evidence, strata: Sequence[str] = ()) -> Incidence:
    """The matrices of the evidence; features by rank, problems as in its table.

    Args:
        evidence: what a classifier is given.
        strata: columns of the problems; those with the same values are alike.

    Raises:
        StudyError: there is no such column.
    """
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
        stratum=_strata(evidence.problems, strata),
    )


def _strata(problems: pl.DataFrame, columns: Sequence[str]) -> NDArray[np.intp]:
    missing = [name for name in columns if name not in problems.columns]
    if missing:
        known = ", ".join(problems.columns)
        raise StudyError(f"strata: the problems have no column {missing[0]!r}; they have {known}")
    stratum = np.zeros(problems.height, dtype=np.intp)
    if columns:
        alike = problems.with_row_index("row").group_by(columns, maintain_order=True).agg("row")
        for number, rows in enumerate(alike["row"]):
            stratum[rows.to_numpy()] = number
    return stratum


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


def counts(incidence: Incidence) -> pl.DataFrame:
    """The table that `associate` takes: every feature with every concept, feature by feature."""
    active, holds = incidence.active, incidence.holds
    shape = (len(incidence.features), holds.shape[1])
    columns = {
        "n_active": np.broadcast_to(active.sum(axis=1)[:, None], shape),
        "n_active_with": active @ holds.astype(np.float64),
        "n_total": np.broadcast_to(len(holds), shape),
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
