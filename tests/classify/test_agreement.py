"""Classifier against classifier: counts, Cohen's kappa and its interval."""

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from studyrun_classify.controls.agreement import AGREEMENT, COMPARED, agreement, compared, kappa


def numbers(counts):
    found = kappa(np.array(counts, dtype=float))
    return [float(each) for each in (found.value, found.low, found.high)]


def test_kappa_by_hand():
    """35 of 50 agree, 25 would by chance: (0.7 - 0.5) / (1 - 0.5)."""
    assert numbers([[20, 5], [10, 15]])[0] == pytest.approx(0.4)


def test_kappa_and_interval_as_published():
    """The example of `ci.kappa` in Bonett's R package statpsych."""
    expected = [0.6756757, 0.5317210, 0.8196303]
    assert numbers([[31, 12], [4, 58]]) == pytest.approx(expected, abs=1e-7)


def plain_kappa(p):
    seen, by_chance = np.trace(p), p.sum(axis=1) @ p.sum(axis=0)
    return (seen - by_chance) / (1 - by_chance)


squares = st.integers(2, 4).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 30), min_size=n, max_size=n), min_size=n, max_size=n)
)


@given(squares)
def test_the_interval_is_that_of_the_delta_method(counts):
    """Oracle: the variance of a function of multinomial shares, by numerical derivatives."""
    counts = np.array(counts, dtype=float)
    n = counts.sum()
    assume(n > 0)
    p = counts / n
    assume(p.sum(axis=1) @ p.sum(axis=0) < 0.95)
    slope = np.zeros_like(p)
    for cell in np.ndindex(p.shape):
        step = np.zeros_like(p)
        step[cell] = 1e-6
        slope[cell] = (plain_kappa(p + step) - plain_kappa(p - step)) / 2e-6
    variance = (p * slope**2).sum() - (p * slope).sum() ** 2
    half = 1.959963984540054 * np.sqrt(max(variance, 0) / n)
    value, low, high = numbers(counts)
    assert value == pytest.approx(plain_kappa(p))
    if half > 1e-4:
        assert low == pytest.approx(max(value - half, -1), abs=1e-5)
        assert high == pytest.approx(min(value + half, 1), abs=1e-5)


@given(squares)
def test_kappa_does_not_depend_on_the_order_of_classifiers_or_answers(counts):
    counts = np.array(counts, dtype=float)
    again = counts.T[::-1, ::-1]
    assert numbers(counts) == pytest.approx(numbers(again), nan_ok=True, abs=1e-9)


def test_what_is_undefined_is_not_a_number():
    assert np.isnan(numbers([[7.0]])).all()
    assert np.isnan(numbers(np.zeros((2, 2)))).all()
    value, low, high = numbers([[3, 0], [0, 4]])
    assert value == 1
    assert np.isnan([low, high]).all()


def labels(*said):
    """A main table from (label, kind) pairs."""
    return pl.DataFrame(
        [(i, label, kind, "said", None) for i, (label, kind) in enumerate(said)],
        {"feature": pl.UInt32, "label": pl.String, "kind": pl.String, "verdict": pl.String,
         "concept": pl.String},
        orient="row",
    )  # fmt: skip


PLUS, TIMES, TWELVE = ("uses +", "operation"), ("uses *", "operation"), ("contains 12", "value")
GENERAL, FEW, UNKNOWN = (("general",) * 2, ("insufficient",) * 2, ("unknown",) * 2)
SAID = {
    "one": labels(PLUS, PLUS, TWELVE, GENERAL, FEW),
    "two": labels(PLUS, TIMES, PLUS, UNKNOWN, TWELVE),
    "three": labels(FEW, FEW, FEW, GENERAL, FEW),
}


def test_pairs_of_classifiers_come_in_order_with_their_counts():
    table = agreement(SAID)
    assert table.schema == AGREEMENT
    assert table.select("classifier", "other").rows() == [
        ("one", "two"), ("one", "three"), ("two", "three"),
    ]  # fmt: skip
    columns = ["n_features", "both_labelled", "same_label", "same_kind"]
    assert table.select(columns).rows() == [(5, 3, 1, 3), (5, 0, 0, 2), (5, 0, 0, 1)]


def test_kappa_is_of_kinds_and_of_no_label():
    """(operation, value, none): [[2, 0, 0], [1, 0, 0], [0, 1, 1]] / 5, worked out by hand."""
    by_chance = (2 * 3 + 1 * 1 + 2 * 1) / 25
    first = agreement(SAID)["kappa"][0]
    assert first == pytest.approx((3 / 5 - by_chance) / (1 - by_chance))


def test_two_that_label_nothing_have_no_kappa():
    table = agreement({"three": SAID["three"], "again": SAID["three"]})
    assert table["same_kind"].to_list() == [5]
    assert table.select("kappa", "ci_low", "ci_high").rows() == [(None, None, None)]


def test_one_classifier_agrees_with_nobody():
    assert agreement({"one": SAID["one"]}).equals(AGREEMENT.to_frame())


def test_compared_holds_every_feature_of_every_classifier():
    table = compared(SAID)
    assert table.schema == COMPARED
    assert table["classifier"].to_list() == ["one"] * 5 + ["two"] * 5 + ["three"] * 5
    assert table.filter(feature=1)["label"].to_list() == ["uses +", "uses *", "insufficient"]
