"""Groups of features that fire together, and the order that shows them; pure functions."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from studyrun_features.active import Floats, Places
from studyrun_features.columns import MAP, MODULES
from studyrun_features.judging import Judged

__all__ = ["clustered_map", "modules"]

Numbers = NDArray[np.uint32]


def modules(judged: Judged, features: Numbers, least: float) -> pl.DataFrame:
    """`MODULES`: features in groups, largest first, of which the mean phi is at least `least`.

    Average linkage on 1 - phi, where phi of a pair that is not `together` counts as 0. `place` is
    the order of the leaves of the whole tree, `mean_phi` the mean of the phi of all pairs of the
    module.

    Args:
        judged: all pairs.
        features: the numbers of the features.
        least: two groups are joined while the mean phi between them is at least this.

    Source: average linkage of Sokal and Michener 1958, University of Kansas Science Bulletin 38.
    """
    phi, together = _squares(judged, len(features))
    some = np.flatnonzero(together.any(axis=1))
    if len(some) < 2:
        return MODULES.schema().to_frame()
    inside = np.ix_(some, some)
    tree = linkage(_distances(np.where(together, phi, 0)[inside]), "average")
    group = fcluster(tree, 1 - least, "distance")
    place = np.argsort(leaves_list(tree))
    found = [np.flatnonzero(group == each) for each in np.unique(group)]
    every = [(rows, _mean(phi[inside], rows)) for rows in found if len(rows) > 1]
    every.sort(key=lambda each: (-len(each[0]), -each[1], features[some[each[0][0]]]))
    parts = [MODULES.schema().to_frame()]
    for number, (rows, mean) in enumerate(every, start=1):
        rows = rows[np.argsort(place[rows])]
        told = {"feature": features[some[rows]], "place": place[rows]}
        frame = pl.DataFrame(told).with_columns(
            module=pl.lit(number), n_features=pl.lit(len(rows)), mean_phi=pl.lit(mean)
        )
        parts.append(frame.select(*MODULES.columns).cast(MODULES.schema()))
    return pl.concat(parts)


def clustered_map(judged: Judged, features: Numbers, most: int) -> pl.DataFrame:
    """`MAP`: every two of the `most` features that fire together with most others, both ways round.

    Ordered as the leaves of the tree of `modules`, of these features alone, turned so that
    neighbours are alike.

    Source of the turning: Bar-Joseph, Gifford and Jaakkola 2001, Bioinformatics 17, S22-S29.
    """
    phi, together = _squares(judged, len(features))
    partners = together.sum(axis=1)
    some = np.lexsort((features, -partners))[:most]
    some = np.sort(some[partners[some] > 0])
    if len(some) < 2:
        return MAP.schema().to_frame()
    inside = np.ix_(some, some)
    distances = _distances(np.where(together, phi, 0)[inside])
    tree = optimal_leaf_ordering(linkage(distances, "average"), distances)
    place = np.argsort(leaves_list(tree))
    verdict = np.empty(phi.shape, dtype=object)
    first, second = judged.pairs.margins.places
    verdict[first, second] = verdict[second, first] = judged.verdicts
    rows, columns = np.nonzero(~np.eye(len(some), dtype=np.bool_))
    told = {
        "feature": features[some[rows]],
        "other": features[some[columns]],
        "phi": phi[inside][rows, columns],
        "verdict": pl.Series(verdict[inside][rows, columns].tolist(), dtype=pl.String),
        "place": place[rows],
        "other_place": place[columns],
    }
    return pl.DataFrame(told).cast(MAP.schema()).sort("place", "other_place")


def _squares(judged: Judged, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    """(features, features) phi, and whether the two are together; of a feature with itself none."""
    phi, together = np.zeros((n, n)), np.zeros((n, n), dtype=np.bool_)
    first, second = judged.pairs.margins.places
    phi[first, second] = phi[second, first] = judged.pairs.phi
    together[first, second] = together[second, first] = judged.together
    return phi, together


def _distances(phi: Floats) -> Floats:
    """(pairs,) 1 - phi, as scipy writes distances."""
    apart = np.clip(1 - phi, 0, None)
    np.fill_diagonal(apart, 0)
    return np.asarray(squareform(apart, checks=False))


def _mean(phi: Floats, rows: Places) -> float:
    """Over all pairs of the rows."""
    inside = phi[np.ix_(rows, rows)]
    return float(inside.sum() / (len(rows) * (len(rows) - 1)))
