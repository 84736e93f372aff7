"""The problems sorted into cells, a half and a stratum each, and what is counted in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from studyrun_classify.statistics.incidence import Incidence, halves, numbers_of, pieces
from studyrun_classify.statistics.stratified import Tables

__all__ = ["Cells", "CountedCells", "Side", "always_on", "cells_of", "counted_cells"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]
Side = Literal["first", "second", "all"]
"""The half that the seed draws first, the other one, or both together."""


@dataclass(frozen=True, eq=False)
class Cells:
    """What is the same for every feature: concepts and strata, on two halves of the problems."""

    holds: Bools
    """(problems, concepts) whether the concept holds."""
    applies: Bools
    """(problems, wholes) whether all parts of the concept hold."""
    wholes: Places
    """(wholes,) which concepts have parts among the concepts."""
    half: Places
    """(problems,) 0 or 1."""
    stratum: Places
    """(problems,)"""
    n_strata: int
    fixed: Bools
    """(concepts,) in every stratum the same for all problems: strata cannot explain such a concept,
    and it is tested as if all problems were alike."""

    @property
    def cell(self) -> Places:
        """(problems,) 0, 1, ...: the strata of the first half, then those of the second."""
        return self.half * self.n_strata + self.stratum

    def problems(self, side: Side) -> Bools:
        """(problems,) whether it belongs to that side."""
        of = {"first": self.half == 0, "second": self.half == 1, "all": self.half >= 0}
        return np.asarray(of[side])

    @cached_property
    def place_among_wholes(self) -> Places:
        """(concepts,) its index in `wholes`; -1 for a concept without parts."""
        places = np.full(self.holds.shape[1], -1)
        places[self.wholes] = np.arange(len(self.wholes))
        return places

    @cached_property
    def columns(self) -> NDArray[np.floating]:
        """(problems, counted) what is counted: concepts, parts of wholes, wholes with parts."""
        both = self.applies & self.holds[:, self.wholes]
        return numbers_of(np.hstack([self.holds, self.applies, both]))

    @cached_property
    def base(self) -> Floats:
        """(cells, 1 + counted) all problems of the cell, then how many have each column."""
        problems = csr_array(np.ones((1, len(self.cell))))
        sums = _by_cell(problems, self.cell, 2 * self.n_strata)
        return np.hstack([np.diff(sums.indptr)[:, None], sums @ self.columns]).astype(np.float64)


def cells_of(incidence: Incidence, seed: int) -> Cells:
    """The cells of the problems, in two halves that the seed decides."""
    half = np.zeros(len(incidence.holds), dtype=np.intp)
    half[halves(len(half), seed)[1]] = 1
    n_strata = int(incidence.stratum.max(initial=0)) + 1
    index = {concept.name: i for i, concept in enumerate(incidence.concepts)}
    parts = [[index[part] for part in c.parts if part in index] for c in incidence.concepts]
    wholes = np.array([i for i, known in enumerate(parts) if known], dtype=np.intp)
    applies = [incidence.holds[:, parts[i]].all(axis=1) for i in wholes]
    return Cells(
        holds=incidence.holds,
        applies=np.stack(applies, axis=1) if applies else incidence.holds[:, :0],
        wholes=wholes,
        half=half,
        stratum=incidence.stratum,
        n_strata=n_strata,
        fixed=_fixed(incidence.holds, incidence.stratum, n_strata),
    )


def _fixed(holds: Bools, stratum: Places, n_strata: int) -> Bools:
    fixed = np.ones(holds.shape[1], dtype=np.bool_)
    for each in range(n_strata):
        alike = holds[stratum == each]
        fixed &= alike.all(axis=0) | ~alike.any(axis=0)
    return fixed


@dataclass(frozen=True, slots=True, eq=False)
class CountedCells:
    """Some features counted in every cell against all concepts."""

    alike: Tables
    """(halves, strata, features, concepts), though each array has the name of a `Tables`."""
    within: Tables
    """(halves, strata, features, wholes) the same where all parts of the whole hold."""

    def of(self, side: Side) -> tuple[Tables, Tables]:
        """The tables of that side by stratum, and those within parts."""
        return _side(self.alike, side), _side(self.within, side)


def _side(tables: Tables, side: Side) -> Tables:
    arrays = (tables.active, tables.both, tables.having, tables.total)
    if side == "all":
        return Tables(*(each[0] + each[1] for each in arrays))
    return Tables(*(each[int(side == "second")] for each in arrays))


def counted_cells(active: csr_array, cells: Cells) -> CountedCells:
    """Every feature counted with every concept, in every cell: one sparse product.

    Args:
        active: (features, problems) what is stored is active.
        cells: of the problems.
    """
    n_cells, n_features = 2 * cells.n_strata, active.shape[0]
    by_cell = _by_cell(active, cells.cell, n_cells)
    counted = np.asarray(by_cell @ cells.columns, dtype=np.float64)
    counted = np.moveaxis(counted.reshape(n_features, n_cells, -1), 0, 1)
    n_active = np.diff(by_cell.indptr).reshape(n_features, n_cells).T[:, :, None]
    total, base = cells.base[:, :1], cells.base[:, 1:]
    n, w = cells.holds.shape[1], cells.wholes.size
    alike = (n_active, counted[..., :n], base[:, None, :n], total[:, :, None])
    applying = (counted[..., n : n + w], base[:, None, n : n + w])
    within = (applying[0], counted[..., n + w :], base[:, None, n + w :], applying[1])
    return CountedCells(
        _tables(alike, cells, cells.fixed), _tables(within, cells, cells.fixed[cells.wholes])
    )


def _by_cell(active: csr_array, cell: Places, n_cells: int) -> csr_array:
    """((features x cells), problems) 1 where active and in the cell."""
    feature = np.repeat(np.arange(active.shape[0], dtype=np.int32), np.diff(active.indptr))
    rows = feature * np.int32(n_cells) + cell.astype(np.int32)[active.indices]
    shape = (active.shape[0] * n_cells, active.shape[1])
    return csr_array((np.ones(len(rows), np.float32), (rows, active.indices)), shape=shape)


def _tables(arrays: tuple[Floats, ...], cells: Cells, fixed: Bools) -> Tables:
    """Arrays (cells, features, concepts) by half and stratum, fixed concepts in one stratum."""
    shape = (2, cells.n_strata, *np.broadcast_shapes(*(each.shape for each in arrays))[1:])
    split = []
    for array in arrays:
        whole = np.broadcast_to(array, (2 * cells.n_strata, *shape[2:])).reshape(shape)
        if fixed.any():
            whole = np.array(whole, dtype=np.float64)
            whole[:, 0, :, fixed] = whole[..., fixed].sum(axis=1).transpose(2, 0, 1)
            whole[:, 1:, :, fixed] = 0
        split.append(whole)
    return Tables(*split)


def always_on(incidence: Incidence, share: float) -> Bools:
    """(features,) those most of whose active problems lie in strata where they are always on.

    Always on: active on more than `share` of the stratum's problems. Being active says nothing of
    a concept there; how strongly may.
    """
    sizes = np.bincount(incidence.stratum)
    found = np.zeros(len(incidence.features), dtype=np.bool_)
    for some in pieces(len(found), 2048):
        by_stratum = _by_cell(incidence.strength[some], incidence.stratum, len(sizes))
        active = np.diff(by_stratum.indptr).reshape(-1, len(sizes))
        inside = np.where(active > share * sizes, active, 0)
        found[some] = 2 * inside.sum(axis=1) > active.sum(axis=1)
    return found
