from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import counts_of_strata
from studyrun_classify.statistics.intervals import log_odds
from studyrun_classify.statistics.stratified import (
    Tables,
    common_odds,
    expected_rate,
    lower_bound,
    normal_p,
    stratified_log_p,
)


def table_of(strata) -> Tables:
    """One feature and one concept; strata are (n_active, n_active_with, n_total, n_with)."""
    columns = [np.array(column, dtype=float)[:, None, None] for column in zip(*strata, strict=True)]
    active, both, total, having = columns
    return Tables(active, both, having, total)


def stratified_p(found: Tables, level: float) -> np.ndarray:
    return np.exp(stratified_log_p(found, level))


@settings(max_examples=100)
@given(counts_of_strata(), st.sampled_from([0.0, 0.01, 0.1, 0.25, 1.0]))
def test_p_is_the_exact_tail_up_to_the_level(strata, level):
    found = table_of(strata)
    p, exact = stratified_p(found, level)[0, 0], exp(found.log_tail()[0, 0])
    assert (p <= level) == (exact <= level)
    assert p == pytest.approx(exact) or p == pytest.approx(normal_p(found)[0, 0])
    if exact <= level:
        assert p == pytest.approx(exact, rel=1e-12)


@settings(max_examples=200)
@given(counts_of_strata(largest=400))
def test_the_exact_p_is_not_below_the_bound_by_the_rough_one(strata):
    found = table_of(strata)
    assert lower_bound(normal_p(found))[0, 0] <= exp(found.log_tail()[0, 0]) * (1 + 1e-9)


@pytest.mark.parametrize("base", [0.001, 0.02, 0.5, 0.98, 0.999])
@pytest.mark.parametrize("share", [0.001, 0.02, 0.5, 0.98, 0.999])
def test_nor_is_it_for_any_count_of_large_tables(base, share):
    rng = np.random.default_rng(0)
    total = rng.multinomial(20_000, [0.4, 0.3, 0.2, 0.1])[:, None]
    active, having = rng.binomial(total, share), rng.binomial(total, base)
    lowest, highest = np.maximum(0, active + having - total).sum(), np.minimum(active, having).sum()
    sums = np.unique(np.linspace(lowest, highest, 60).round())
    both = np.zeros((4, len(sums)))  # only the sum counts
    both[0] = sums
    tables = np.broadcast_arrays(active, both, having, total)
    found = Tables(*(array.astype(float) for array in tables))
    exact = np.maximum(np.exp(found.log_tail()), 1e-290)
    assert (lower_bound(normal_p(found)) <= exact * (1 + 1e-6)).all()


def test_simpsons_paradox_is_seen_through():
    """Enriched on all problems, exactly as expected in each stratum."""
    strata = [(10, 1, 100, 10), (90, 81, 100, 90)]
    pooled = [(100, 82, 200, 100)]
    assert stratified_p(table_of(pooled), 1.0)[0, 0] < 1e-15
    assert stratified_p(table_of(strata), 1.0)[0, 0] > 0.3
    assert expected_rate(table_of(strata))[0, 0] == pytest.approx(0.82)
    assert common_odds(table_of(pooled)).low[0, 0] > 2
    alike = common_odds(table_of(strata))
    assert alike.low[0, 0] < 0 < alike.high[0, 0]


@given(counts_of_strata(strata=1))
def test_the_odds_of_one_stratum_are_those_of_its_table(strata):
    ((a, both, n, h),) = strata
    cells = [np.array([float(x)]) for x in (both, a - both, h - both, n - a - h + both)]
    one, common = log_odds(*cells), common_odds(table_of(strata))
    assert common.value[0, 0] == pytest.approx(one.value[0], abs=1e-9)
    assert common.low[0, 0] == pytest.approx(one.low[0], abs=1e-9)
    assert common.high[0, 0] == pytest.approx(one.high[0], abs=1e-9)


def test_the_interval_of_the_common_odds_holds_the_truth_as_often_as_it_says():
    rng, inside = np.random.default_rng(0), 0
    for _ in range(1000):
        strata = []
        for base in (0.1, 0.4, 0.7):
            odds = 3 * base / (1 - base)
            both = rng.binomial(60, odds / (1 + odds))
            strata.append((60, both, 300, both + rng.binomial(240, base)))
        found = common_odds(table_of(strata))
        inside += found.low[0, 0] <= np.log(3) <= found.high[0, 0]
    assert 930 <= inside <= 970
    assert exp(found.value[0, 0]) == pytest.approx(3, rel=0.5)


def test_where_nothing_varies_p_is_one():
    assert stratified_p(table_of([(5, 5, 10, 10), (3, 0, 10, 0)]), 1.0)[0, 0] == 1


@given(counts_of_strata(strata=2), st.integers(1, 3))
def test_strata_without_problems_say_nothing(strata, n):
    """Law: p, odds and expected rate are the same with and without them."""
    found, more = table_of(strata), table_of([*strata, *([(0, 0, 0, 0)] * n)])
    assert stratified_p(more, 1.0)[0, 0] == pytest.approx(stratified_p(found, 1.0)[0, 0], rel=1e-9)
    assert common_odds(more).high[0, 0] == pytest.approx(common_odds(found).high[0, 0], nan_ok=True)
    assert expected_rate(more)[0, 0] == pytest.approx(expected_rate(found)[0, 0], nan_ok=True)


def test_some_pairs_are_those_of_the_whole():
    rng = np.random.default_rng(0)
    found = Tables(*rng.random((4, 2, 3, 5)))
    some = found.at(np.array([2, 0]), np.array([4, 1]))
    assert some.both.tolist() == found.both[:, [2, 0], [4, 1]].tolist()
