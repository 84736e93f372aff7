"""Who is active where, and which concept holds where, as matrices; and the counts they give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from studyrun import Concept, Evidence, StudyError

__all__ = ["Incidence", "counted_pairs", "counts", "halves", "incidence_of", "numbers_of", "pieces"]

Bools = NDArray[np.bool_]
Places = NDArray[np.intp]


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
    stratum: Places
    """(problems,) which problems are alike, 0, 1, ...; associations must hold among those."""

    def of(self, features: Bools | Places | slice) -> Incidence:
        """The same for some of the features only."""
        return replace(self, features=self.features[features], strength=self.strength[features])

    def said(self, field: Literal["name", "kind"]) -> pl.Series:
        """(concepts,) their names or kinds."""
        return pl.Series([getattr(each, field) for each in self.concepts], dtype=pl.String)

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
        StudyError: there is no such column, or a pair names a problem or feature that is unknown.
    """
    features = evidence.features["feature"].to_numpy().astype(np.uint32)
    problems = evidence.problems["problem"].to_numpy()
    pairs, held = evidence.activations, evidence.membership
    places = (_places(pairs["feature"], features), _places(pairs["problem"], problems))
    shape = (len(features), len(problems))
    strength = csr_array((pairs["activation"].to_numpy(), places), shape=shape)
    np.abs(strength.data, out=strength.data)
    holds = np.zeros((len(problems), len(evidence.concepts)), dtype=np.bool_)
    holds[_places(held["problem"], problems), held["concept"].to_numpy()] = True
    stratum = _strata(evidence.problems, strata)
    return Incidence(features, evidence.concepts, strength, holds, stratum)


def _strata(problems: pl.DataFrame, columns: Sequence[str]) -> Places:
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


def _places(values: pl.Series, order: NDArray[np.uint32]) -> NDArray[np.int32]:
    """The index of each value in `order`, which holds every value once.

    Raises:
        StudyError: a value is not there.
    """
    numbers = values.to_numpy()
    place = np.full(1 + max(int(order.max(initial=0)), int(numbers.max(initial=0))), -1, np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    found = place[numbers]
    if found.min(initial=0) < 0:
        unknown = numbers[found < 0][0]
        raise StudyError(f"there is no {values.name} {unknown}, which the evidence speaks of")
    return np.asarray(found)


def halves(n_problems: int, seed: int) -> tuple[Places, Places]:
    """Two halves of the problems, each ascending; the same for the same seed.

    The first has the odd problem where there is one.
    """
    shuffled = np.random.default_rng(seed).permutation(n_problems)
    middle = (n_problems + 1) // 2
    return np.sort(shuffled[:middle]), np.sort(shuffled[middle:])


def pieces(n: int, size: int) -> Iterator[slice]:
    """0 ... n in consecutive pieces of at most `size`, at least one of each."""
    size = max(1, size)
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def numbers_of(flags: Bools) -> NDArray[np.floating]:
    """(problems, columns) 1 where true, in the smallest type that counts so many problems."""
    return flags.astype(np.float32 if len(flags) < 2**24 else np.float64)


def counts(incidence: Incidence) -> pl.DataFrame:
    """The table that `associate` takes: every feature with every concept, feature by feature.

    Dense in features x concepts, sparse in problems: for many features, take some at a time
    (`Incidence.of`).
    """
    strength, holds = incidence.strength, numbers_of(incidence.holds)
    ones = np.ones(strength.nnz, dtype=holds.dtype)
    active = csr_array((ones, strength.indices, strength.indptr), shape=strength.shape)
    n_active = np.diff(strength.indptr)
    shape = (len(n_active), holds.shape[1])
    features, concepts = (places.ravel() for places in np.indices(shape))
    numbers = {
        "n_active": n_active[features],
        "n_active_with": (active @ holds).ravel(),
        "n_total": np.full(len(features), len(holds)),
        "n_with": incidence.holds.sum(axis=0)[concepts],
    }
    return counted_pairs(incidence, features, concepts, numbers)


def counted_pairs(
    incidence: Incidence, features: Places, concepts: Places, numbers: Mapping[str, NDArray[Any]]
) -> pl.DataFrame:
    """(feature, concept, kind) of some pairs, given by their places, beside whole numbers."""
    return pl.DataFrame(
        {
            "feature": incidence.features[features],
            "concept": incidence.said("name").gather(concepts),
            "kind": incidence.said("kind").gather(concepts),
            **{name: each.astype(np.uint32) for name, each in numbers.items()},
        }
    )
