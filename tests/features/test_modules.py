"""Groups of features that fire together, and the map of them."""

from itertools import combinations

import numpy as np
import pytest
from feature_worlds import activity_of, planted

from studyrun_features.columns import MAP, MODULES
from studyrun_features.judging import judged
from studyrun_features.modules import clustered_map, modules
from studyrun_features.params import Coactivation


@pytest.fixture(scope="module")
def world():
    return planted()


@pytest.fixture(scope="module")
def found(world):
    activity = activity_of(world.active, world.n_steps)
    return judged(activity.pairs(activity.margins()), Coactivation())


def numbers(world):
    return np.arange(len(world.active), dtype=np.uint32)


def square(found, n):
    """phi of pairs that are together, 0 of others."""
    phi = np.zeros((n, n))
    for i, j, value, yes in zip(
        *found.pairs.margins.places, found.pairs.phi, found.together, strict=True
    ):
        phi[i, j] = phi[j, i] = value if yes else 0
    return phi


def agglomerated(phi, least):
    """Average linkage written down plainly: join the two groups of largest mean phi, again and
    again, while it is at least `least`."""
    groups = [[i] for i in range(len(phi))]
    while len(groups) > 1:
        means = {
            (a, b): phi[np.ix_(groups[a], groups[b])].mean()
            for a, b in combinations(range(len(groups)), 2)
        }
        a, b = max(means, key=means.get)
        if means[a, b] < least:
            break
        groups[a] += groups.pop(b)
    return sorted(sorted(group) for group in groups if len(group) > 1)


def members(table):
    return sorted(sorted(own) for own in table.group_by("module").agg("feature")["feature"])


@pytest.mark.parametrize("least", [0.05, 0.2, 0.45, 0.8])
def test_modules_are_those_of_average_linkage(world, found, least):
    table = modules(found, numbers(world), least)
    assert table.schema == MODULES.schema()
    assert members(table) == agglomerated(square(found, len(world.active)), least)


def test_the_planted_modules_are_found(world, found):
    assert members(modules(found, numbers(world), 0.2)) == world.modules


def test_modules_are_numbered_by_size_and_tell_their_mean_phi(world, found):
    table = modules(found, numbers(world), 0.2)
    sizes = table.group_by("module", maintain_order=True).agg("n_features", "feature")
    assert sizes["module"].to_list() == [1, 2, 3]
    assert [len(each) for each in sizes["feature"]] == [5, 4, 3]
    assert table["n_features"].to_list() == [5] * 5 + [4] * 4 + [3] * 3
    phi = {
        tuple(sorted(pair)): value
        for *pair, value in zip(*found.pairs.margins.places, found.pairs.phi, strict=True)
    }
    for features, mean in (
        table.group_by("module")
        .agg("feature", "mean_phi")
        .select("feature", "mean_phi")
        .iter_rows()
    ):
        own = [phi[pair] for pair in combinations(sorted(features), 2)]
        assert mean == pytest.approx([np.mean(own)] * len(features))


def test_members_of_a_module_lie_beside_each_other(world, found):
    table = modules(found, numbers(world), 0.2)
    for _, own in table.group_by("module"):
        places = own["place"].sort()
        assert places.to_list() == list(range(places[0], places[0] + len(places)))


def test_the_map_has_both_ways_and_the_features_with_most_partners(world, found):
    table = clustered_map(found, numbers(world), 9)
    assert table.schema == MAP.schema()
    assert set(table["feature"]) == {*world.modules[0], *world.modules[1]}
    rows = {(f, o): (phi, v, p, q) for f, o, phi, v, p, q in table.rows()}
    assert len(rows) == table.height == 9 * 8
    assert all(rows[o, f] == (phi, v, q, p) for (f, o), (phi, v, p, q) in rows.items())
    places = dict(table.select("feature", "place").rows())
    assert sorted(places.values()) == list(range(9))
    for own in world.modules[:2]:
        taken = sorted(places[feature] for feature in own)
        assert taken == list(range(taken[0], taken[0] + len(own)))


def test_where_nothing_fires_together_there_is_no_module_and_no_map():
    rng = np.random.default_rng(0)
    activity = activity_of(rng.random((6, 300)) < 0.3, [0] * 300)
    found = judged(activity.pairs(activity.margins()), Coactivation())
    numbers = np.arange(6, dtype=np.uint32)
    assert modules(found, numbers, 0.2).is_empty()
    assert clustered_map(found, numbers, 10).is_empty()
    assert modules(found, numbers, 0.2).schema == MODULES.schema()


def test_a_map_of_one_or_none_is_empty(world, found):
    assert clustered_map(found, numbers(world), 0).is_empty()
    assert clustered_map(found, numbers(world), 1).is_empty()


def test_features_that_always_fire_together_are_one_module():
    """phi is 1 and their distance 0, whatever rounding says."""
    row = np.random.default_rng(0).random(500) < 0.2
    activity = activity_of([row, row, row], [0] * 500)
    found = judged(activity.pairs(activity.margins()), Coactivation())
    table = modules(found, np.array([4, 7, 9], dtype=np.uint32), 0.2)
    assert table["feature"].sort().to_list() == [4, 7, 9]
    assert table["mean_phi"].to_list() == pytest.approx([1.0] * 3)
