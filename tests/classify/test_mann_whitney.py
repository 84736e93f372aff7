from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from studyrun_classify.mann_whitney import rank_test
from studyrun_classify.power import rank_test_needs

strengths = st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.5, 4.0]), min_size=4, max_size=30)


@given(strengths, st.data())
def test_p_and_auroc_are_scipys(values, data):
    holds = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))))
    found = rank_test(np.array([values]), holds[:, None])
    having, others = np.array(values)[holds], np.array(values)[~holds]
    if not len(having) or not len(others):
        assert found.p[0, 0] == 1
        assert np.isnan(found.auroc[0, 0])
        assert np.isnan(found.log_odds.low[0, 0])
        return
    if len(set(values)) == 1:
        assert found.p[0, 0] == 1
        return
    expected = mannwhitneyu(having, others, alternative="greater", method="asymptotic")
    assert found.p[0, 0] == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.auroc[0, 0] == pytest.approx(expected.statistic / (len(having) * len(others)))


def test_auroc_counts_pairs_and_halves_ties():
    strength = np.array([[1.0, 2.0, 2.0, 3.0]])
    holds = np.array([[False], [False], [True], [True]])
    found = rank_test(strength, holds)
    assert found.auroc[0, 0] == (1 + 0.5 + 1 + 1) / 4
    assert found.log_odds.value[0, 0] == pytest.approx(log((3.5 + 0.5) / (0.5 + 0.5)))


def test_every_feature_meets_every_concept():
    rng = np.random.default_rng(0)
    strength, holds = rng.random((3, 50)), rng.random((50, 4)) < 0.4
    together = rank_test(strength, holds)
    for feature in range(3):
        for concept in range(4):
            alone = rank_test(strength[[feature]], holds[:, [concept]])
            assert together.p[feature, concept] == pytest.approx(alone.p[0, 0])
            assert together.auroc[feature, concept] == pytest.approx(alone.auroc[0, 0])


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng, truth = np.random.default_rng(1), log(0.76025 / (1 - 0.76025))  # Phi(1 / sqrt 2)
    holds = np.arange(200) < 60
    strength = rng.normal(size=(1000, 200)) + holds
    odds = rank_test(strength, holds[:, None]).log_odds
    inside = (odds.low[:, 0] <= truth) & (truth <= odds.high[:, 0])
    assert 0.92 <= inside.mean() <= 0.98


def test_the_problems_needed_give_the_power():
    rng, level = np.random.default_rng(2), 1e-3
    n = int(rank_test_needs(np.array([0.7]), np.array([0.3]), level, 0.8)[0])
    holds = np.arange(n) < round(0.3 * n)
    strength = rng.normal(size=(2000, n)) + holds * 0.7416  # AUROC 0.7
    assert 0.75 <= (rank_test(strength, holds[:, None]).p <= level).mean() <= 0.9
