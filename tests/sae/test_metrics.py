"""Measures of reconstruction and sparsity, against hand-worked numbers and their laws."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from strategies import activations
from studyrun_sae import metrics

X = torch.tensor([[0.0, 10.0], [2.0, 14.0]])  # means 1 and 12, squared deviations 1+1+4+4


def test_fvu_by_hand():
    assert metrics.fvu(X, X) == 0
    assert metrics.fvu(X, X + torch.tensor([1.0, 0.0])) == pytest.approx(2 / 10)
    assert metrics.fvu(X, torch.zeros(2, 2)) == pytest.approx((100 + 4 + 196) / 10)


@given(activations())
def test_predicting_the_mean_explains_nothing(x):
    """Law: explained_variance(x, mean(x)) == 0, the mean per dimension."""
    mean = x.double().mean(0).expand_as(x)
    assert metrics.explained_variance(x.double(), mean) == pytest.approx(0, abs=1e-9)


@given(activations(), st.floats(0.5, 10))
def test_a_constant_bias_costs_its_square(x, bias):
    """Law: fvu(x, x + c) == rows * |c|^2 / sum (x - mean)^2; the seed's measure does not see it."""
    x = x.double()
    total = float((x - x.mean(0)).square().sum())
    assert metrics.fvu(x, x + bias) == pytest.approx(x.numel() * bias**2 / total)
    assert metrics.explained_variance_seed(x, x + bias) == pytest.approx(1)


@given(activations(), st.floats(-100, 100))
def test_fvu_does_not_depend_on_where_the_cloud_lies(x, shift):
    """Law: fvu(x + c, x_hat + c) == fvu(x, x_hat)."""
    x = x.double()
    x_hat = x.roll(1, 0)
    moved = metrics.fvu(x + shift, x_hat + shift)
    assert moved == pytest.approx(metrics.fvu(x, x_hat), rel=1e-6)


def test_fvu_is_of_the_whole_set_and_not_a_mean_of_rows():
    x = torch.tensor([[0.0], [1.0], [100.0]])
    x_hat = torch.tensor([[1.0], [0.0], [100.0]])
    per_row_would_be = 2 / 3
    assert metrics.fvu(x, x_hat) < 1e-3 < per_row_would_be


def test_float32_far_from_zero_keeps_its_digits():
    x = 3e4 + torch.tensor([[0.0], [0.25], [0.5]])
    assert metrics.fvu(x, x.roll(1, 0)) == pytest.approx((0.25 + 2 * 0.0625) / 0.125)


def test_the_seeds_measure_is_its_formula():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 4, generator=generator) + torch.tensor([0.0, 5.0, -5.0, 9.0])
    x_hat = x + 0.5 * torch.randn(50, 4, generator=generator)
    expected = 1 - (x - x_hat).var() / x.var()
    assert metrics.explained_variance_seed(x, x_hat) == pytest.approx(float(expected), abs=1e-6)


def test_the_seeds_measure_flatters_where_means_differ():
    mean = X.mean(0).expand_as(X)
    assert metrics.explained_variance(X, mean) == 0
    assert metrics.explained_variance_seed(X, mean) > 0.9


def test_l0_counts_features_and_dead_ones_are_active_nowhere():
    z = torch.tensor([[0.0, -2.0, 1.0, 0.0], [0.0, 3.0, 0.0, 0.0]])
    assert metrics.mean_l0(z) == 1.5
    assert metrics.frequency(z).tolist() == [0, 1, 0.5, 0]
    assert metrics.n_dead((z != 0).sum(0)) == 2


def test_mse_is_per_entry():
    assert metrics.mse(X, X + torch.tensor([2.0, 0.0])) == 2


@pytest.mark.parametrize("measure", [metrics.fvu, metrics.explained_variance])
@pytest.mark.parametrize("x", [torch.zeros(0, 3), torch.ones(1, 3), torch.ones(5, 3)])
def test_variance_of_equal_rows_is_undefined(measure, x):
    with pytest.raises(ValueError, match="undefined"):
        measure(x, x)


@pytest.mark.parametrize("measure", [metrics.mean_l0, metrics.frequency])
def test_nothing_has_no_mean(measure):
    with pytest.raises(ValueError, match="no rows"):
        measure(torch.zeros(0, 3))


@pytest.mark.parametrize("measure", [metrics.mse, metrics.explained_variance_seed])
def test_no_entries_have_no_mean(measure):
    with pytest.raises(ValueError, match="undefined"):
        measure(torch.zeros(0, 3), torch.zeros(0, 3))
