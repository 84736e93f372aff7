"""Features found again in another SAE."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import studyrun_classify.controls.stability as module
from studyrun_classify.controls.stability import SCHEMA, best_matches, matches, stability


def directions(n, d=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def labels_of(*labels):
    return pl.DataFrame(
        {"feature": range(len(labels)), "label": labels},
        {"feature": pl.UInt32, "label": pl.String},
    )


def plain_best(W, other, signed):
    """The naive search, in float64."""
    found = []
    for row in W.astype(float):
        cosines = [row @ one / np.linalg.norm(row) / np.linalg.norm(one) for one in other]
        found.append(max(map(abs, cosines)) if signed else max(cosines))
    return found


@given(st.integers(1, 9), st.integers(1, 9), st.booleans(), st.integers(0, 99))
def test_the_best_match_has_the_largest_cosine(n, others, signed, seed):
    W, other = directions(n, seed=seed), directions(others, seed=seed + 100)
    found = best_matches(W, other, signed=signed)
    assert found.cosine == pytest.approx(plain_best(W, other, signed), abs=1e-5)
    for row, match, cosine in zip(W, found.feature, found.cosine, strict=True):
        real = row @ other[match] / np.linalg.norm(row) / np.linalg.norm(other[match])
        assert (abs(real) if signed else real) == pytest.approx(cosine, abs=1e-5)


def test_a_shuffled_sae_is_found_again_with_cosine_1_and_stability_1():
    W, order = directions(40), np.random.default_rng(1).permutation(40)
    scaled = W[order] * np.linspace(0.1, 5, 40, dtype=np.float32)[:, None]
    found = best_matches(W, scaled)
    assert (order[found.feature] == np.arange(40)).all()
    assert found.cosine == pytest.approx(np.ones(40), abs=1e-6)
    names = [f"label {i % 7}" for i in range(40)]
    theirs = labels_of(*(names[i] for i in order))
    table = matches("seed-1", found, labels_of(*names), theirs)
    assert table.schema == SCHEMA
    summed = stability(table)
    assert (summed["stability"] == 1).all()
    assert summed["match_cosine"].to_list() == pytest.approx([1] * 40, abs=1e-6)


def test_an_opposite_direction_is_the_same_feature_only_where_activations_have_signs():
    W = directions(12)
    assert best_matches(W, -W, signed=True).cosine == pytest.approx(np.ones(12), abs=1e-6)
    assert best_matches(W, -W).cosine.max() < 0.999


def test_pieces_change_nothing(monkeypatch):
    W, other = directions(11), directions(7, seed=3)
    whole = best_matches(W, other)
    monkeypatch.setattr(module, "ROWS", 4)
    pieces = best_matches(W, other)
    assert (whole.feature == pieces.feature).all()
    assert whole.cosine == pytest.approx(pieces.cosine, abs=1e-6)


def test_a_direction_of_no_length_matches_nothing_and_is_nobodys_match():
    W, other = directions(3), directions(3)
    W[1], other[0] = 0, 0
    found = best_matches(W, other)
    assert np.isnan(found.cosine[1])
    assert 0 not in found.feature[[0, 2]]
    table = matches("seed-1", found, labels_of("a", "b", "c"), labels_of("a", "b", "c"))
    row = table.row(1, named=True)
    assert [row[name] for name in ("match", "cosine", "match_label", "same")] == [None] * 4
    assert stability(table)["stability"].to_list()[1] is None


def test_stability_is_the_share_of_seeds_and_expected_what_chance_would_give():
    W = np.eye(3, dtype=np.float32)
    mine = labels_of("a", "b", "c")
    others = {"seed-1": labels_of("a", "a", "x"), "seed-2": labels_of("a", "b", "a")}
    found = best_matches(W, W)
    table = pl.concat([matches(name, found, mine, theirs) for name, theirs in others.items()])
    assert table["variant"].to_list() == ["seed-1"] * 3 + ["seed-2"] * 3
    assert table["same"].to_list() == [True, False, False, True, True, False]
    assert table["expected"].to_list() == pytest.approx([2 / 3, 0, 0, 2 / 3, 1 / 3, 0])
    assert stability(table).rows() == [(0, 1.0, 1.0), (1, 0.5, 1.0), (2, 0.0, 1.0)]


def test_labels_in_another_order_are_still_those_of_their_features():
    W = np.eye(3, dtype=np.float32)
    mine, theirs = labels_of("a", "b", "c")[[2, 0, 1]], labels_of("a", "b", "c")[[1, 2, 0]]
    table = matches("seed-1", best_matches(W, W), mine, theirs)
    assert table["feature"].to_list() == [2, 0, 1]
    assert table["match_label"].to_list() == ["c", "a", "b"]
