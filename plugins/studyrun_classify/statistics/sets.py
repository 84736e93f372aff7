"""Which of a feature's active problems are looked at: all, or those of largest |activation|."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from studyrun_classify.params import EnrichmentParams
from studyrun_classify.statistics.incidence import Incidence, pieces

__all__ = ["in_sets"]

Places = NDArray[np.intp]


def in_sets(incidence: Incidence, half: Places, params: EnrichmentParams) -> Incidence:
    """The incidence with only those active problems that `params.sets` asks for.

    They are chosen in each half by itself and without looking at concepts, so that what one half
    finds is still news to the other.

    Args:
        incidence: all active problems.
        half: (problems,) 0 or 1.
        params: `sets`, `top` and `quantile`.
    """
    if params.sets == "active":
        return incidence
    some = pieces(len(incidence.features), 2048)
    kept = [_strongest(incidence.strength[rows], half, params) for rows in some]
    return replace(incidence, strength=vstack(kept, format="csr") if kept else incidence.strength)


def _strongest(strength: csr_array, half: Places, params: EnrichmentParams) -> csr_array:
    """Of each feature in each half the strongest problems, earlier ones where two are equal."""
    n_features = strength.shape[0]
    feature = np.repeat(np.arange(n_features), np.diff(strength.indptr))
    group = 2 * feature + half[strength.indices]
    order = np.lexsort((strength.indices, -strength.data, group))
    sizes = np.bincount(group, minlength=2 * n_features)
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kept = order[place < np.repeat(_wanted(sizes, params), sizes)]
    where = (feature[kept], strength.indices[kept])
    return csr_array((strength.data[kept], where), shape=strength.shape)


def _wanted(sizes: Places, params: EnrichmentParams) -> Places:
    """How many of each group; groups are the first and the second half of every feature."""
    if params.sets == "top":
        return np.tile([(params.top + 1) // 2, params.top // 2], len(sizes) // 2)
    return np.asarray(np.ceil(params.quantile * sizes), dtype=np.intp)
