"""Quantiles and histograms of features, all at once, against NumPy's of one at a time."""

import numpy as np
import pytest
from feature_worlds import pairs_of, values_of
from hypothesis import given
from hypothesis import strategies as st

from strategies import Firing, firings
from studyrun_features.columns import ACTIVATIONS, HISTOGRAM
from studyrun_features.strengths import all_activations, histograms, strengths

SHARES = {"min": 0, "q25": 0.25, "median": 0.5, "q75": 0.75, "max": 1}


@given(firings())
def test_quantiles_and_means_are_numpys_of_the_active_values(firing):
    table = strengths(pairs_of(firing), firing.n_problems)
    for row, values in zip(table.rows(named=True), values_of(firing).values(), strict=True):
        assert (row["n_active"], row["n_total"]) == (len(values), firing.n_problems)
        assert row["frequency"] == len(values) / firing.n_problems
        if not len(values):
            assert {row[name] for name in ("mean_active", *SHARES)} == {None}
            continue
        assert row["mean_active"] == pytest.approx(values.mean(), abs=1e-9)
        for name, share in SHARES.items():
            assert row[name] == pytest.approx(np.quantile(values, share), abs=1e-12)


def test_without_problems_there_is_no_frequency():
    table = strengths(pairs_of(Firing(1, 3, {})), 0)
    assert table["frequency"].to_list() == [None] * 3


@given(firings(), st.integers(1, 7))
def test_histograms_are_numpys_over_each_features_own_range(firing, bins):
    table = histograms(pairs_of(firing), bins)
    assert table.schema == HISTOGRAM.schema()
    for feature, values in values_of(firing).items():
        own = table.filter(feature=feature)
        if not len(values):
            assert own.is_empty()
        elif values.min() == values.max():
            assert own.drop("feature").rows() == [(0, values[0], values[0], len(values))]
        else:
            edges = [*own["low"], own["high"][-1]]
            assert own["bin"].to_list() == list(range(bins))
            assert edges == pytest.approx(np.linspace(values.min(), values.max(), bins + 1))
            assert own["n"].to_list() == np.histogram(values, edges)[0].tolist()


@given(firings(), st.integers(1, 7))
def test_bins_leave_no_gap_and_miss_nothing(firing, bins):
    """Law: ends meet, the outer ones are the extremes, and every activation is in one bin."""
    table = histograms(pairs_of(firing), bins)
    for feature, values in values_of(firing).items():
        own = table.filter(feature=feature)
        assert own["n"].sum() == len(values)
        assert own["high"].to_list()[:-1] == own["low"].to_list()[1:]
        if len(values):
            assert (own["low"][0], own["high"][-1]) == (values.min(), values.max())


@given(firings())
def test_all_activations_are_counted_once_by_size(firing):
    table = all_activations(pairs_of(firing))
    values = np.concatenate([[], *values_of(firing).values()])
    size = np.abs(values)
    assert table.schema == ACTIVATIONS.schema()
    assert table["n"].sum() == len(values)
    assert table["n_negative"].sum() == (values < 0).sum()
    if len(values):
        assert (table["low"][0], table["high"][-1]) == (size.min(), size.max())
        assert table["high"].to_list()[:-1] == table["low"].to_list()[1:]
    if len(values) and size.min() < size.max():
        counted = np.histogram(size, [*table["low"], table["high"][-1]])[0]
        assert table["n"].to_list() == counted.tolist()


def test_bins_of_all_activations_are_equal_on_a_logarithmic_scale():
    table = all_activations(pairs_of(Firing(3, 1, {(0, 0): 0.5, (1, 0): -4.0, (2, 0): 32.0})))
    ratios = (table["high"] / table["low"]).to_list()
    assert ratios == pytest.approx([ratios[0]] * table.height)
    assert table.height == 50
