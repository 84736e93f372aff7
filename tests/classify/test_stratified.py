from fractions import Fraction
from itertools import product
from math import comb, exp

import numpy as np
import pytest
from hypothesis import given, settings
from planted import World
from scipy.special import gammaln
from scipy.stats import hypergeom

from strategies import counts_of_strata
from studyrun_classify.incidence import incidence_of
from studyrun_classify.intervals import log_odds
from studyrun_classify.stratified import (
    Tables,
    always_on,
    common_odds,
    expected_rate,
    stratified_p,
    tables,
    undefined,
    upper_tail,
)


def table_of(strata) -> Tables:
    """One feature and one concept; strata are (n_active, n_active_with, n_total, n_with)."""
    columns = [np.array(column, dtype=float)[:, None, None] for column in zip(*strata, strict=True)]
    active, both, total, having = columns
    return Tables(active, both, having, total)


def tail(strata) -> Fraction:
    """P(sum >= observed), by going through every outcome of every stratum."""
    observed = sum(both for _, both, _, _ in strata)
    outcomes = [
        [
            (x, Fraction(comb(h, x) * comb(n - h, a - x), comb(n, a)))
            for x in range(max(0, a + h - n), min(a, h) + 1)
        ]
        for a, _, n, h in strata
    ]
    total = Fraction(0)
    for chosen in product(*outcomes):
        if sum(x for x, _ in chosen) >= observed:
            share = Fraction(1)
            for _, probability in chosen:
                share *= probability
            total += share
    return total


@settings(max_examples=60)
@given(counts_of_strata())
def test_p_is_the_share_of_draws_within_strata_with_as_many(strata):
    found = stratified_p(table_of(strata), exact_below=1.0)[0, 0]
    assert found == pytest.approx(float(tail(strata)), rel=1e-9)


def test_one_stratum_is_the_hypergeometric_test():
    logs = gammaln(np.arange(2000) + 1)
    for a, both, n, h in [(100, 99, 1495, 1084), (40, 3, 1495, 20), (700, 400, 1495, 821)]:
        one = [np.array([value]) for value in (a, h, n)]
        found = upper_tail(one[0], both, one[1], one[2], logs)
        assert found == pytest.approx(hypergeom.sf(both - 1, n, h, a), rel=1e-9)


@settings(max_examples=200)
@given(counts_of_strata(largest=400))
def test_the_approximation_never_hides_what_is_certain(strata):
    """Where the approximation is returned in place of the tail, the tail is above the level."""
    found = table_of(strata)
    exact = stratified_p(found, exact_below=1.0)[0, 0]
    for level in (0.05, 0.01, 0.001):
        screened = stratified_p(found, exact_below=level**0.5)[0, 0]
        assert (exact <= level) == (screened <= level)


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


def test_nothing_that_varies_is_undefined():
    assert undefined(table_of([(5, 5, 10, 10), (3, 0, 10, 0)]))[0, 0]
    assert not undefined(table_of([(5, 5, 10, 10), (3, 0, 10, 1)]))[0, 0]
    assert stratified_p(table_of([(5, 5, 10, 10), (3, 0, 10, 0)]), 1.0)[0, 0] == 1


def test_tables_are_those_of_a_loop_over_problems():
    world = World(500)
    times, plus = world.concept("uses *", 0.5), world.concept("uses +", 0.6)
    world.concept("* then +", times & plus & (world.rng.random(500) < 0.5), "pattern",
                  ("uses *", "uses +"))  # fmt: skip
    world.noise(4)
    evidence = world.evidence()
    incidence = incidence_of(evidence, ["n_steps"])
    for within_parts in (False, True):
        found = tables(incidence, within_parts=within_parts)
        for row, feature in enumerate(incidence.features):
            problems = np.isin(np.arange(500), world.pairs[feature][0])
            for stratum, number in enumerate(dict.fromkeys(world.n_steps)):
                alike = world.n_steps == number
                if within_parts:
                    alike = alike & times & plus
                holds = alike & world.columns["* then +"]
                at = (stratum, row, 2)
                assert found.total[at] == alike.sum()
                assert found.having[at] == holds.sum()
                assert found.active[at] == (alike & problems).sum()
                assert found.both[at] == (holds & problems).sum()


def test_always_on_is_judged_where_a_feature_is_active():
    world = World(1000)
    everywhere = world.feature(np.arange(980))
    long = world.feature(np.flatnonzero(world.n_steps >= 3))
    half = world.feature(np.flatnonzero(world.rng.random(1000) < 0.5))
    dead = world.feature(np.array([], dtype=int))
    incidence = incidence_of(world.evidence(), ["n_steps"])
    found = dict(zip(incidence.features.tolist(), always_on(incidence, 0.9), strict=True))
    assert found == {everywhere: True, long: True, half: False, dead: False}
    assert not always_on(incidence_of(world.evidence()), 0.9)[1]
