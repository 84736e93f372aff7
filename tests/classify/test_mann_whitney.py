from collections import Counter
from math import log, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import mannwhitneyu

from studyrun_classify.statistics.mann_whitney import RankTest, ranks_of
from studyrun_classify.statistics.mann_whitney import rank_test as rank_test_of_ranks
from studyrun_classify.statistics.power import rank_test_needs


def rank_test(strength, holds, stratum=None) -> RankTest:
    """Of the activations themselves, all problems alike unless said otherwise."""
    stratum = np.zeros(strength.shape[1], int) if stratum is None else stratum
    return rank_test_of_ranks(ranks_of(strength), holds, stratum)


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
    assert found.log_odds.value[0, 0] == pytest.approx(log((3.5 + 5 / 6) / (0.5 + 5 / 6)))


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


@given(st.integers(0, 1000), st.integers(1, 4))
def test_strata_are_ranked_by_themselves_and_added_up(seed, n_strata):
    """Law: U, its mean and its variance are sums over strata of those of each alone."""
    rng = np.random.default_rng(seed)
    strength, holds = rng.integers(0, 6, (2, 40)).astype(float), rng.random((40, 3)) < 0.4
    stratum = rng.integers(0, n_strata, 40)
    found = rank_test(strength, holds, stratum)
    for feature in range(2):
        for concept in range(3):
            u = mean = variance = pairs = 0.0
            for each in range(n_strata):
                having = strength[feature, (stratum == each) & holds[:, concept]]
                others = strength[feature, (stratum == each) & ~holds[:, concept]]
                every, n = np.concatenate([having, others]), len(having) + len(others)
                ties = sum(t**3 - t for t in Counter(every.tolist()).values())
                spread = len(having) * len(others) / 12 * (n + 1 - ties / max(n * (n - 1), 1))
                if spread <= 1e-9:
                    continue
                above = [(a > b) + (a == b) / 2 for a in having for b in others]
                u, pairs = u + sum(above), pairs + len(above)
                mean, variance = mean + len(above) / 2, variance + spread
            if pairs:
                expected = NormalDist().cdf(-(u - mean - 0.5) / sqrt(variance))
                assert found.p[feature, concept] == pytest.approx(expected, rel=1e-6)
                assert found.auroc[feature, concept] == pytest.approx(u / pairs)
            else:
                assert found.p[feature, concept] == 1
                assert np.isnan(found.auroc[feature, concept])


def test_ranks_among_more_problems_will_do():
    rng = np.random.default_rng(3)
    strength, holds = rng.integers(0, 20, (3, 60)).astype(float), rng.random((60, 2)) < 0.4
    some, alike = rng.random(60) < 0.5, np.zeros(60, int)
    found = rank_test_of_ranks(ranks_of(strength)[:, some], holds[some], alike[some])
    assert found.p == pytest.approx(rank_test(strength[:, some], holds[some]).p)


def test_columns_are_found_among_those_of_all_concepts():
    rng = np.random.default_rng(4)
    found = rank_test(rng.random((2, 30)), rng.random((30, 2)) < 0.5)
    every = found.among(np.array([2, 0]), 3)
    assert every.p[:, [2, 0]] == pytest.approx(found.p)
    assert every.log_odds.high[:, 0] == pytest.approx(found.log_odds.high[:, 1])
    assert np.isnan(every.auroc[:, 1]).all()


def test_the_interval_of_a_perfect_separation_is_no_wider_than_that_of_a_table():
    """Trap: half a *pair* of 10,000 made the interval reach from 1e-15 to 1e27."""
    strength = np.arange(200.0)[None]
    odds = rank_test(strength, (strength[0] >= 100)[:, None]).log_odds
    assert 0 < odds.low[0, 0] < odds.value[0, 0] < odds.high[0, 0] < 15


def test_the_interval_covers_the_true_odds_as_often_as_it_says():
    rng, true, covered = np.random.default_rng(0), 0.9, 0
    holds = np.arange(80) < 30
    for _ in range(400):
        strength = rng.normal(size=80) + holds * ndtri(true) * np.sqrt(2)
        odds = rank_test(strength[None], holds[:, None]).log_odds
        covered += odds.low[0, 0] <= log(true / (1 - true)) <= odds.high[0, 0]
    assert 0.92 <= covered / 400 <= 0.99
