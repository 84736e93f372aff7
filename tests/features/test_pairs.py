"""Pairs counted and tested all at once, against one pair at a time."""

import numpy as np
import pytest
from feature_worlds import activity_of, planted
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import false_discovery_control, hypergeom

from strategies import activities
from studyrun_classify.statistics.stratified import Tables, normal_p
from studyrun_features.judging import judged
from studyrun_features.pairs import permuted
from studyrun_features.params import Coactivation


def counted(active, strata):
    activity = activity_of(active, strata)
    return activity.pairs(activity.margins())


def every_pair(active):
    """Of every two features, the earlier one first, where each is active."""
    rows = [np.array(row, dtype=bool) for row in active]
    return [(rows[i], rows[j]) for i in range(len(rows)) for j in range(i + 1, len(rows))]


def by_stratum(strata):
    strata = np.array(strata)
    return [strata == each for each in np.unique(strata)]


@given(activities())
def test_counts_are_those_of_one_pair_at_a_time(case):
    active, strata = case
    pairs = counted(*case)
    m = pairs.margins
    for k, (a, b) in enumerate(every_pair(active)):
        n = len(a)
        assert (pairs.both[k], m.n_first[k], m.n_second[k]) == ((a & b).sum(), a.sum(), b.sum())
        assert m.expected[k] == pytest.approx(a.sum() * b.sum() / n)
        inside = [a[s].sum() * b[s].sum() / s.sum() for s in by_stratum(strata)]
        assert m.expected_alike[k] == pytest.approx(sum(inside))


def correlation(a, b):
    """Pearson's; NaN where one does not vary."""
    a, b = a - a.mean(), b - b.mean()
    spread = np.sqrt((a**2).sum() * (b**2).sum())
    return (a * b).sum() / spread if spread > 1e-12 else np.nan


def centred(row, strata):
    """With the mean of its stratum taken out."""
    row = row.astype(float)
    for some in by_stratum(strata):
        row[some] -= row[some].mean()
    return row


@given(activities())
def test_phi_is_the_correlation_and_phi_alike_that_within_strata(case):
    active, strata = case
    pairs = counted(*case)
    phi, alike = pairs.phi, pairs.phi_alike
    for k, (a, b) in enumerate(every_pair(active)):
        assert phi[k] == pytest.approx(correlation(a * 1.0, b * 1.0), nan_ok=True, abs=1e-9)
        expected = correlation(centred(a, strata), centred(b, strata))
        assert alike[k] == pytest.approx(expected, nan_ok=True, abs=1e-9)


def stratified_p(a, b, strata):
    """P(sum of hypergeometric counts >= n_both), by convolving their distributions."""
    total = np.array([1.0])
    for s in by_stratum(strata):
        counts = np.arange(s.sum() + 1)
        total = np.convolve(total, hypergeom(s.sum(), b[s].sum(), a[s].sum()).pmf(counts))
    return total[(a & b).sum() :].sum()


@settings(max_examples=60)
@given(activities(), st.sampled_from([0.01, 0.2]))
def test_p_is_exact_and_q_is_benjamini_hochberg(case, alpha):
    active, strata = case
    found = judged(counted(*case), Coactivation(alpha=alpha))
    for k, (a, b) in enumerate(every_pair(active)):
        exact = hypergeom(len(a), b.sum(), a.sum()).sf((a & b).sum() - 1)
        assert found.p[k] == pytest.approx(exact, rel=1e-7)
        alike = stratified_p(a, b, strata)
        if min(alike, found.p_alike[k]) <= alpha / len(found.p):
            assert found.p_alike[k] == pytest.approx(alike, rel=1e-7)
    assert found.q == pytest.approx(false_discovery_control(found.p))


@given(activities())
def test_what_is_accepted_among_alike_problems_is_what_exact_tests_accept(case):
    """Law: the approximation never stands in for a p that Benjamini-Hochberg accepts."""
    active, strata = case
    exact = np.array([stratified_p(a, b, strata) for a, b in every_pair(active)])
    alpha = 0.1234567  # no q of so few problems is exactly that
    accepted = false_discovery_control(exact.clip(0, 1)) <= alpha
    found = judged(counted(*case), Coactivation(alpha=alpha))
    assert (found.q_alike <= alpha).tolist() == accepted.tolist()


@given(activities())
def test_the_deviation_is_that_of_the_stratified_normal_approximation(case):
    pairs = counted(*case)
    (tables,) = pairs.tables(np.arange(len(pairs.both)))
    p, of = normal_p(tables), pairs.margins
    mean = tables.active * tables.having / tables.total
    assert of.expected_alike == pytest.approx(mean.sum(axis=0))
    varies = of.deviation_alike > 0
    z = (pairs.both - of.expected_alike - 0.5)[varies] / of.deviation_alike[varies]
    assert p[varies] == pytest.approx(ndtr(-z), rel=1e-6)
    assert isinstance(tables, Tables)


@given(activities(), st.integers(0, 100))
def test_permuting_keeps_how_often_each_fires_in_each_stratum(case, seed):
    activity = activity_of(*case)
    moved = permuted(activity, np.random.default_rng(seed))
    assert (moved.margins().inside == activity.margins().inside).all()
    assert set(moved.active.toarray().ravel()) <= {0.0, 1.0}


def test_permuting_moves_every_feature_by_itself():
    world = planted(400)
    activity = activity_of(world.active, world.n_steps)
    moved = permuted(activity, np.random.default_rng(0)).active.toarray()
    same = np.array(world.active[:5], dtype=float)
    assert (moved[:5] != same).any(axis=1).all()
    twins = activity_of(np.array([world.active[0]] * 2), world.n_steps)
    first, second = permuted(twins, np.random.default_rng(0)).active.toarray()
    assert (first != second).any()


VERDICTS = {
    # (n_both, n_first, n_second) of 1,000 problems, one stratum
    (40, 100, 100): "together",
    (10, 100, 100): "chance",
    (0, 100, 100): "chance",
    (470, 650, 650): "weak",
    (1, 10, 10): "insufficient",
    (0, 10, 10): "insufficient",
}


def with_counts(both, first, second, n=1000):
    """Two features that fire so often."""
    rows = np.zeros((2, n), dtype=bool)
    rows[0, :first] = True
    rows[1, first - both : first - both + second] = True
    return rows


@pytest.mark.parametrize(("counts", "verdict"), VERDICTS.items())
def test_verdicts_of_pairs_worked_out_by_hand(counts, verdict):
    """470 of 650 where 422.5 are expected: certain, and phi is 0.21; 0.3 is asked for."""
    found = judged(counted(with_counts(*counts), [0] * 1000), Coactivation(min_phi=0.3))
    assert found.verdicts.tolist() == [verdict]


def test_a_pair_that_its_stratum_decides_is_explained():
    """Both fire on the long half, and there every problem switches on either by itself."""
    rng = np.random.default_rng(0)
    long = np.arange(2000) % 2 == 1
    rows = [long & (rng.random(2000) < 0.8) for _ in range(2)]
    among_all = judged(counted(rows, [0] * 2000), Coactivation())
    alike = judged(counted(rows, long), Coactivation())
    assert among_all.verdicts.tolist() == ["together"]
    assert alike.verdicts.tolist() == ["explained"]


def test_features_that_do_not_vary_within_strata_are_explained_too():
    long = np.arange(200) % 2 == 1
    found = judged(counted([long, long], long), Coactivation())
    assert np.isnan(found.pairs.phi_alike).all()
    assert found.verdicts.tolist() == ["explained"]
