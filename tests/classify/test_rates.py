"""Rates of labels with intervals that know of runs."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import t as student

from studyrun_classify.controls.rates import SCHEMA, clustered, control_table
from studyrun_classify.statistics.intervals import wilson


def plain(labelled):
    return wilson(np.asarray(float(labelled.sum())), np.asarray(float(labelled.size)))


def test_one_run_has_wilsons_interval():
    labelled = np.arange(40)[None] < 10
    ends, expected = clustered(labelled), plain(labelled)
    assert (ends.low, ends.high) == (expected.low, expected.high)


def test_runs_that_label_all_or_nothing_count_as_runs():
    """Worked out: s^2 = 1/3, deff = 1/3 * 50 / (1/4) = 200/3, so 4 * 50 features count as 3."""
    labelled = np.repeat([[True], [False], [True], [False]], 50, axis=1)
    n = 3 * (1.959963984540054 / student.ppf(0.975, 3)) ** 2
    ends, expected = clustered(labelled), wilson(np.asarray(n / 2), np.asarray(n))
    assert float(ends.low) == pytest.approx(float(expected.low))
    assert float(ends.high) == pytest.approx(float(expected.high))
    assert float(ends.low) < 0.11


def test_nothing_labelled_in_any_run_is_no_certainty():
    ends = clustered(np.zeros((5, 512), dtype=bool))
    assert float(ends.low) == 0
    assert float(plain(np.zeros((5, 512), dtype=bool)).high) < float(ends.high) < 0.004
    every = clustered(np.ones((5, 512), dtype=bool))
    assert float(every.high) == 1


@pytest.mark.parametrize(("spread", "naive"), [(0.0, (0.92, 1)), (0.06, (0, 0.7))])
def test_the_interval_holds_the_rate_also_when_features_are_labelled_together(spread, naive):
    """Coverage over 600 experiments of 6 runs; Wilson's alone fails where runs differ."""
    rng, rate = np.random.default_rng(0), 0.1
    covered = []
    for _ in range(600):
        of_run = rate if not spread else rng.beta(rate / spread, (1 - rate) / spread, (6, 1))
        labelled = rng.random((6, 200)) < of_run
        both = clustered(labelled), plain(labelled)
        covered.append([each.low <= rate <= each.high for each in both])
    ours, wilsons = np.mean(covered, axis=0)
    assert ours > 0.9
    assert naive[0] <= wilsons <= naive[1]


def test_the_table_counts_features_and_runs():
    labelled = np.array([[True, False, False, False], [False] * 4, [True, True, False, False]])
    table = control_table({"a": {"none": labelled[:1], "permuted": labelled}, "b": {}})
    assert table.schema == SCHEMA
    first, second = table.rows(named=True)
    assert (first["classifier"], first["control"], first["rate"]) == ("a", "none", 0.25)
    assert second["control"] == "permuted"
    counts = [second[name] for name in ("runs", "features", "labelled", "runs_with_any")]
    assert counts == [3, 4, 3, 2]
    assert second["rate"] == pytest.approx(3 / 12)
    assert second["ci_low"] < 0.25 < second["ci_high"]
    assert control_table({}).schema == pl.Schema(SCHEMA)
