"""The effect on the reconstruction: the closed form, the fallback and the naive way agree."""

from dataclasses import replace

import polars as pl
import pytest
import torch
from edit_cases import FEATUREWISE, MAPS, CaseContext, case, sparse  # found through the line above
from hypothesis import given
from hypothesis import strategies as st

from studyrun import NoParams
from studyrun_intervene.edits.changes import changes, closed_form, decoded, delta
from studyrun_intervene.effects.reconstruction import SCHEMA, measure

NORMS = ("mean_abs", "max_abs", "l2", "active")


def naive(found, edit):
    """x_hat(z') - x_hat(z) by decoding both, a bias included, float64."""
    z, W_dec, b_dec = found.z.double(), found.W_dec.double(), 3.0
    after = found.intervene(found.z, torch.tensor(edit)).double()
    return (after @ W_dec + b_dec) - (z @ W_dec + b_dec)


def effect(found, seed=0):
    return measure(found, NoParams(), CaseContext(seed=seed)).table


def edits_of(name):
    return ((0, 1), (4, 2)) if name == "swap" else ((0,), (3,), (5,))


@pytest.mark.parametrize("name", MAPS)
def test_the_measures_are_those_of_decode_and_subtract(name):
    """Every map, the closed form or not, a careless third party's included."""
    found = case(name, edits_of(name))
    table = effect(found)
    for row, edit in zip(table.rows(named=True), found.edits, strict=True):
        difference = naive(found, edit)
        norm = torch.linalg.vector_norm(difference, dim=1)
        size = torch.linalg.vector_norm(found.x.double(), dim=1)
        on = (found.z[:, list(edit)] != 0).any(1)
        expected = {
            "mean_abs_diff": difference.abs().mean(),
            "max_abs_diff": difference.abs().max(),
            "l2_diff": norm.mean(),
            "relative_l2_diff": norm.mean() / size.mean(),
            "mean_abs_diff_active": difference[on].abs().mean(),
            "l2_diff_active": norm[on].mean(),
            "relative_l2_diff_active": norm[on].mean() / size[on].mean(),
        }
        for column, value in expected.items():
            assert row[column] == pytest.approx(float(value), rel=1e-5), column


@pytest.mark.parametrize("name", FEATUREWISE)
@given(st.integers(0, 2**16), st.integers(1, 7), st.sampled_from([torch.float32, torch.float64]))
def test_the_closed_form_is_the_decoded_change(name, seed, rows, dtype):
    """Law: |x_hat(z') - x_hat(z)| = |z'_f - z_f| |W_dec[f]|, in every norm, for every feature."""
    found = case(name, [(f,) for f in range(6)], z=sparse(rows, 6, seed).to(dtype))
    found = replace(found, W_dec=found.W_dec.to(dtype))
    fast, slow = closed_form(found, range(6)), decoded(found, found.edits)
    for norm in NORMS:
        torch.testing.assert_close(getattr(fast, norm), getattr(slow, norm), rtol=1e-5, atol=1e-6)


def test_the_closed_form_calls_the_map_once():
    calls = []

    def counted(z, features):
        calls.append(features.tolist())
        return MAPS["ablate"](z, features)

    changes(case("ablate", intervene=counted), [(f,) for f in range(6)])
    assert calls == [[0, 1, 2, 3, 4, 5]]


def test_a_map_that_is_not_featurewise_is_decoded_edit_by_edit():
    """Its declaration decides: the closed form would see the features edited together."""

    def competing(z, features):
        return z.index_copy(1, features, z[:, features] / len(features))

    edits = [(0,), (1,), (2,)]
    declared = case(intervene=competing, featurewise=True)
    honest = replace(declared, featurewise=False)
    assert not changes(honest, edits).mean_abs.any()
    assert changes(declared, edits).mean_abs.any()
    assert not delta(honest, (1,)).any()


def test_ablation_by_hand():
    """z_f is 2, 0, -4; W_dec[f] = (3, 0, 1): differences 2, 0, 4 times (3, 0, 1)."""
    z = torch.tensor([[2.0], [0.0], [-4.0]])
    W_dec, x = torch.tensor([[3.0, 0.0, 1.0]]), torch.tensor([[3.0, 4, 0], [0, 0, 1], [0, 9, 0]])
    (row,) = effect(case("ablate", [(0,)], z=z, W_dec=W_dec, x=x)).rows(named=True)
    assert row["mean_abs_diff"] == pytest.approx((2 + 4) / 3 * 4 / 3)
    assert row["max_abs_diff"] == 12
    assert row["l2_diff"] == pytest.approx(6 / 3 * 10**0.5)
    assert row["relative_l2_diff"] == pytest.approx(6 * 10**0.5 / (5 + 1 + 9))
    assert row["mean_abs_diff_active"] == pytest.approx(3 * 4 / 3)
    assert row["relative_l2_diff_active"] == pytest.approx(6 * 10**0.5 / (5 + 9))


def test_a_feature_that_is_never_active_changes_nothing_and_has_no_active_mean():
    z = sparse(20, 6)
    z[:, 2] = 0
    (row,) = effect(case("ablate", [(2,)], z=z)).rows(named=True)
    assert row["mean_abs_diff"] == row["ci_low"] == row["ci_high"] == 0
    assert row["mean_abs_diff_active"] is None
    assert row["l2_diff_active"] is None
    assert (row["control_n"], row["control_mean"]) == (0, None)


# Controls and intervals


def test_the_control_is_the_same_edit_of_the_matched_features():
    found = case("amplify", [(0,)], matched=(((3,), (5,)),), confidence=0.9)
    (row,) = effect(found).rows(named=True)
    values = [float(naive(found, edit).abs().mean()) for edit in ((3,), (5,))]
    low, high = sorted(values)
    assert row["control_n"] == 2
    assert row["control_mean"] == pytest.approx(sum(values) / 2)
    assert row["control_ci_low"] == pytest.approx(low + 0.05 * (high - low))
    assert row["control_ci_high"] == pytest.approx(high - 0.05 * (high - low))
    own = row["mean_abs_diff"]
    assert row["control_percentile"] == sum(value < own for value in values) / 2


@pytest.mark.parametrize("name", ["ablate", "swap", "drifting"])
def test_random_directions_have_the_edits_norm_on_every_row(name):
    """mean |r_i u| over rows and dimensions, u a unit vector, r_i the norm of the edit's row."""
    found = case(name, edits_of(name), directions=4000)
    table = effect(found)
    d_in = found.x.shape[1]
    generator = torch.Generator().manual_seed(5)
    u = torch.randn(200_000, d_in, generator=generator, dtype=torch.float64)
    expected = float((u / torch.linalg.vector_norm(u, dim=1, keepdim=True)).abs().mean())
    for random, l2 in table.select("random_mean", "l2_diff").rows():
        assert random == pytest.approx(l2 * expected, rel=0.02)


def test_a_decoder_row_along_one_axis_is_more_concentrated_than_random_directions():
    z = sparse(40, 2)
    W_dec = torch.tensor([[1.0, 0, 0, 0, 0], [1, 1, 1, 1, 1]])
    first, second = effect(case("ablate", [(0,), (1,)], z=z, W_dec=W_dec)).rows(named=True)
    assert first["random_percentile"] == 0
    assert second["random_percentile"] == 1


def test_the_interval_covers_the_true_mean_as_often_as_it_says():
    """200 samples of 60 rows, ablating |normal| activations: mean |z| = 0.798."""
    covered = 0
    for seed in range(200):
        z = torch.randn(60, 1, generator=torch.Generator().manual_seed(seed))
        found = case("ablate", [(0,)], z=z, W_dec=torch.ones(1, 5), resamples=400)
        (row,) = effect(found, seed).rows(named=True)
        covered += row["ci_low"] <= (2 / torch.pi) ** 0.5 <= row["ci_high"]
    assert 0.84 <= covered / 200 <= 0.95


def test_same_seed_same_bytes_another_seed_another_interval():
    found = case()
    assert effect(found).equals(effect(found))
    assert not effect(found)["ci_low"].equals(effect(found, seed=1)["ci_low"])


def test_no_edits_make_an_empty_table_with_all_columns():
    table = effect(case("ablate", []))
    assert table.columns == SCHEMA.names()
    assert table.height == 0
    assert table.schema["control_n"] == pl.UInt32


def test_more_edits_than_fit_at_once_give_the_same_numbers(monkeypatch):
    found = case("ablate", [(f,) for f in range(6)])
    whole = effect(found)
    monkeypatch.setattr("studyrun_intervene.effects.reconstruction.CHUNK", 2)
    assert effect(found).equals(whole)
