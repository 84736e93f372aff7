"""Neighbours and cosines, block by block, against all of them at once."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from studyrun_features import directions
from studyrun_features.columns import COSINES, NEIGHBOURS
from studyrun_features.directions import by_chance, nearness


def plain(W):
    """Cosines in float64; NaN with a direction of no length and with itself."""
    W = W.double().numpy()
    lengths = np.linalg.norm(W, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = W @ W.T / np.outer(lengths, lengths)
    np.fill_diagonal(found, np.nan)
    found[:, lengths == 0] = found[lengths == 0] = np.nan
    return found


def drawn(n, d, seed=0, dead=()):
    W = torch.randn(n, d, generator=torch.Generator().manual_seed(seed))
    W[list(dead)] = 0
    return W


@pytest.mark.parametrize("at_once", [1, 3, 7, 512])
@pytest.mark.parametrize(("n", "dead"), [(1, ()), (2, ()), (9, ()), (9, (0, 4)), (3, (0, 1, 2))])
def test_neighbours_and_counts_are_those_of_the_whole_matrix(at_once, n, dead, monkeypatch):
    monkeypatch.setattr(directions, "AT_ONCE", at_once)
    W, places = drawn(n, 6, dead=dead), 4
    found, cosines = nearness(W, places), plain(W)
    assert found.neighbours.schema == NEIGHBOURS.schema()
    for feature in range(n):
        order = [int(i) for i in np.argsort(-cosines[feature]) if not np.isnan(cosines[feature, i])]
        own = found.neighbours.filter(feature=feature)
        assert own["neighbour"].to_list() == order[:places]
        assert own["place"].to_list() == list(range(1, len(own) + 1))
        assert own["cosine"].to_list() == pytest.approx(
            cosines[feature, order[:places]].tolist(), abs=1e-6
        )
        nearest = found.nearest.row(feature, named=True)
        assert nearest["nearest"] == (order[0] if order else None)
        assert (nearest["max_cosine"] is None) == (not order)
    upper = cosines[np.triu_indices(n, 1)]
    upper = upper[~np.isnan(upper)]
    counted = found.cosines.filter(of="decoder")
    edges = np.linspace(-1, 1, directions.BINS + 1)
    expected = np.histogram(upper, edges)[0] if len(upper) else []
    assert counted["n"].to_list() == list(expected)


def test_the_nearest_is_told_where_no_neighbours_are_asked_for():
    found = nearness(drawn(5, 3), 0)
    assert found.neighbours.is_empty()
    assert found.nearest["nearest"].null_count() == 0


def test_equal_directions_are_1_apart_and_opposite_ones_the_other_way():
    """Rounding must not put them outside the bins."""
    W = drawn(1, 50).repeat(4, 1)
    W[3] *= -3
    counts = nearness(W, 3).cosines.filter(of="decoder")["n"]
    assert (counts[0], counts[-1], counts.sum()) == (3, 3, 6)


@given(st.integers(1, 40))
def test_chance_is_symmetric_and_complete(d):
    shares = by_chance(np.linspace(-1, 1, 41), d)
    assert shares.sum() == pytest.approx(1)
    assert shares == pytest.approx(shares[::-1], abs=1e-12)


@pytest.mark.parametrize("d", [1, 2, 3, 10, 100])
def test_chance_is_what_random_directions_give(d):
    W = drawn(1200, d, seed=d)
    table = nearness(W, 1).cosines
    assert table.schema == COSINES.schema()
    counted, expected = (table.filter(of=of)["n"].to_numpy() for of in ("decoder", "random"))
    assert counted.sum() == 1200 * 1199 / 2
    assert expected.sum() == pytest.approx(counted.sum())
    gap = np.abs(np.cumsum(counted - expected)).max() / counted.sum()
    assert gap < 0.01


def test_three_dimensions_make_every_cosine_as_likely():
    """Archimedes: the sphere's area between two planes depends on their distance alone."""
    assert by_chance(np.linspace(-1, 1, 11), 3) == pytest.approx([0.1] * 10)


def test_one_direction_has_no_pairs():
    found = nearness(drawn(1, 4), 3)
    assert found.cosines.is_empty()
    assert found.nearest.rows() == [(0, None, None)]
    assert isinstance(found.nearest, pl.DataFrame)
