"""What edits add to the residual: every way of keeping it against (z' - z) @ W_dec, dense."""

import pytest
import torch
from edit_cases import FEATUREWISE, MAPS, sparse  # found through the line above
from hypothesis import given
from hypothesis import strategies as st

from studyrun_intervene.edits.differences import (
    BANK,
    Chosen,
    Dense,
    Joined,
    RandomDirections,
    moved_by_edits,
)

D_SAE, D_MODEL = 6, 5
W_DEC = torch.randn(D_SAE, D_MODEL, generator=torch.Generator().manual_seed(1))
seeds = st.integers(0, 2**16)
single = st.tuples(st.integers(0, D_SAE - 1))
pairs = st.lists(st.integers(0, D_SAE - 1), min_size=2, max_size=2, unique=True).map(tuple)
sets = st.lists(st.integers(0, D_SAE - 1), min_size=1, max_size=4).map(tuple)


def edits_for(name):
    return st.lists(pairs if name == "swap" else single | sets, max_size=4)


def scaled(name, scale):
    """The map, of which only so much is made."""
    change = MAPS[name]
    return lambda z, features: z + scale * (change(z, features) - z)


def moved(name, z, edits, scale=1.0):
    return moved_by_edits(
        z, W_DEC, scaled(name, scale), edits, featurewise=name in FEATUREWISE
    )  # fmt: skip


def shuffled(n, seed, most=None):
    """Some numbers below n in any order."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:most]


def same_in_any_order(differences, seed):
    """Whether any runs, asked for in any order, have the rows that they have among all."""
    n = len(differences.edit)
    if not n:
        return True
    whole, some = differences(torch.arange(n)), shuffled(n, seed, 1 + seed % n)
    return differences(some).equal(whole[some])


# Moved


@pytest.mark.parametrize("name", MAPS)
@given(st.data())
def test_what_was_moved_is_the_dense_difference(name, data):
    """Law: (z' - z) @ W_dec; a run for every edit and problem where z' != z, and no other."""
    z = sparse(data.draw(st.integers(1, 7)), D_SAE, data.draw(seeds))
    edits, scale = data.draw(edits_for(name)), data.draw(st.sampled_from([1.0, 0.5, -2.0]))
    found = moved(name, z, edits, scale)
    change = [scaled(name, scale)(z, torch.tensor(edit)) - z for edit in edits]
    expected = [(e, row) for e, c in enumerate(change) for row in c.any(1).nonzero()[:, 0].tolist()]
    assert list(zip(found.edit.tolist(), found.row.tolist(), strict=True)) == expected
    if expected:
        dense = torch.stack([change[e][row].double() @ W_DEC.double() for e, row in expected])
        found_rows = found(torch.arange(len(expected))).double()
        torch.testing.assert_close(found_rows, dense, rtol=1e-5, atol=1e-5)
    assert same_in_any_order(found, data.draw(seeds))


@given(seeds, st.lists(single, min_size=1, max_size=9))
def test_a_featurewise_map_may_be_read_off_one_pass(seed, edits):
    """Law: whether it is declared or not, the same runs with the same differences."""
    z = sparse(5, D_SAE, seed)
    fast, slow = (
        moved_by_edits(z, W_DEC, MAPS["amplify"], edits, featurewise=declared)
        for declared in (True, False)
    )
    assert fast.edit.equal(slow.edit)
    assert fast.row.equal(slow.row)
    every = torch.arange(len(fast.edit))
    if len(every):
        torch.testing.assert_close(fast(every), slow(every))


def test_one_pass_calls_the_map_once():
    calls = []

    def counted(z, features):
        calls.append(features.tolist())
        return MAPS["ablate"](z, features)

    moved_by_edits(sparse(4, 6), W_DEC, counted, [(3,), (0,), (3,)], featurewise=True)
    assert calls == [[0, 3]]


def test_what_is_not_made_has_no_runs():
    """Scale 0; features that are never active; equal features exchanged; no edits."""
    z = sparse(20, D_SAE)
    z[:, 2] = 0
    z[:, 4] = z[:, 1]
    none = (
        moved("ablate", z, [(0,), (1, 3)], scale=0.0),
        moved("ablate", z, [(2,)]),
        moved("swap", z, [(1, 4)]),
        moved("ablate", z, []),
    )
    assert [len(each.edit) for each in none] == [0, 0, 0, 0]


def test_ablation_by_hand():
    """z = (2, 0) and (3, 5): feature 0 takes away 2 and 3 of its row, the set both rows."""
    z, W_dec = torch.tensor([[2.0, 0], [3, 5]]), torch.tensor([[1.0, 0, 1], [0, 10, 0]])
    found = moved_by_edits(z, W_dec, MAPS["ablate"], [(0,), (0, 1), (1,)], featurewise=True)
    assert found.edit.tolist() == [0, 0, 1, 1, 2]
    assert found.row.tolist() == [0, 1, 0, 1, 1]
    assert found(torch.arange(5)).tolist() == [
        [-2, 0, -2], [-3, 0, -3], [-2, 0, -2], [-3, -50, -3], [0, -50, 0],
    ]  # fmt: skip


# Dense, Chosen, Joined


def dense(n_edits, rows, seed):
    """Some runs of matrices of their own."""
    generator = torch.Generator().manual_seed(seed)
    matrices = torch.randn(n_edits, rows, D_MODEL, generator=generator)
    kept = torch.rand(n_edits, rows, generator=generator) < 0.7
    edit, row = kept.nonzero(as_tuple=True)
    return Dense(edit, row, lambda e, some: matrices[e][some]), matrices[edit, row]


@given(seeds, st.integers(1, 4), st.integers(1, 5))
def test_dense_differences_are_looked_up(seed, n_edits, rows):
    """Law: the row of the run's edit and problem."""
    found, expected = dense(n_edits, rows, seed)
    if len(expected):
        assert found(torch.arange(len(expected))).equal(expected)
    assert same_in_any_order(found, seed)


@given(seeds)
def test_some_runs_of_others_are_these(seed):
    """Law: run i of `Chosen` is run `runs[i]`, of any differences, `Chosen` ones included."""
    of, expected = dense(3, 6, seed)
    first = shuffled(len(of.edit), seed, 9)
    second = shuffled(len(first), seed + 1, 5)
    found, runs = Chosen(Chosen(of, first), second), first[second]
    assert found.edit.equal(of.edit[runs])
    assert found.row.equal(of.row[runs])
    if len(runs):
        assert found(torch.arange(len(runs))).equal(expected[runs])
    assert same_in_any_order(found, seed)


@given(st.lists(st.tuples(seeds, st.integers(1, 3)), min_size=1, max_size=4), seeds)
def test_joined_runs_follow_each_other(parts, seed):
    """Law: the runs of all parts in turn, edits renumbered, empty parts among them or not."""
    made = [dense(n, seed_of % 3, seed_of) for seed_of, n in parts]
    numbers = [100 * i + torch.arange(n) for i, (_, n) in enumerate(parts)]
    found = Joined.of([each for each, _ in made], numbers)
    edits = [own[each.edit] for (each, _), own in zip(made, numbers, strict=True)]
    assert found.edit.equal(torch.cat(edits))
    assert found.row.equal(torch.cat([each.row for each, _ in made]))
    if len(found.edit):
        assert found(torch.arange(len(found.edit))).equal(torch.cat([rows for _, rows in made]))
    assert same_in_any_order(found, seed)


def test_nothing_joined_is_nothing():
    assert len(Joined.of([], []).edit) == 0


# RandomDirections


@given(seeds, st.sampled_from([1e-3, 1.0, 1e3]))
def test_a_random_direction_has_the_edits_norm(seed, size):
    """Law: same runs, same norm of each to 1e-5, whatever is asked for together."""
    of, _ = dense(3, 6, seed)
    large = Dense(of.edit, of.row, lambda e, some: size * of.values(e, some))
    found = RandomDirections.drawn_for(large, D_MODEL, torch.Generator().manual_seed(seed))
    assert found.edit.equal(of.edit)
    assert found.row.equal(of.row)
    every = torch.arange(len(of.edit))
    if len(every):
        norms = (torch.linalg.vector_norm(x, dim=1) for x in (found(every), large(every)))
        torch.testing.assert_close(*norms, rtol=1e-5, atol=0)
    assert same_in_any_order(found, seed)


@given(seeds)
def test_random_directions_are_the_generators(seed):
    """Law: they depend on it, on nothing else of the differences, and on their number."""
    of, _ = dense(3, 6, seed)
    every = torch.arange(len(of.edit))
    other = Dense(of.edit, of.row, lambda e, some: -3 * of.values(e, some))

    def drawn(differences, number):
        generator = torch.Generator().manual_seed(number)
        return RandomDirections.drawn_for(differences, D_MODEL, generator)

    if len(every):
        assert drawn(of, 7)(every).equal(drawn(of, 7)(every))
        torch.testing.assert_close(drawn(other, 7)(every), 3 * drawn(of, 7)(every))
        assert not drawn(of, 7)(every).equal(drawn(of, 8)(every))


def test_nothing_turned_is_nothing():
    zero = Dense(torch.tensor([0]), torch.tensor([0]), lambda e, some: torch.zeros(1, D_MODEL))
    found = RandomDirections.drawn_for(zero, D_MODEL, torch.Generator())
    assert not found(torch.tensor([0])).any()


def test_random_directions_point_everywhere():
    """Of 20,000: no mean direction, and every dimension has a share of 1 / d of the square."""
    n = 20_000
    ones = Dense(torch.zeros(n).long(), torch.arange(n), lambda e, some: torch.ones(n, D_MODEL))
    found = RandomDirections.drawn_for(ones, D_MODEL, torch.Generator().manual_seed(0))
    unit = found(torch.arange(n)) / D_MODEL**0.5
    assert found.drawn.unique().numel() == BANK
    torch.testing.assert_close(unit.mean(0), torch.zeros(D_MODEL), atol=0.05, rtol=0)
    share = torch.full((D_MODEL,), 1 / D_MODEL)
    torch.testing.assert_close(unit.square().mean(0), share, atol=0.02, rtol=0)
