from fractions import Fraction
from itertools import product
from math import comb, log

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import hypergeom

from strategies import counted_tables, counts_of_strata
from studyrun_classify.statistics.tails import (
    LARGEST_TABLE,
    hypergeometric_tail,
    log_stratified_tail,
)


def stratified_tail(both, active, having, total) -> np.ndarray:
    return np.exp(log_stratified_tail(both, active, having, total))


def columns(rows) -> list[np.ndarray]:
    """(active, both, total, having) rows as the arrays both, active, having, total."""
    active, both, total, having = (np.array(each, float) for each in zip(*rows, strict=True))
    return [both, active, having, total]


def draws(active: int, total: int, having: int) -> list[tuple[int, Fraction]]:
    """Every count that a draw can have, and its probability, by counting the draws."""
    return [
        (k, Fraction(comb(having, k) * comb(total - having, active - k), comb(total, active)))
        for k in range(max(0, active + having - total), min(active, having) + 1)
    ]


def enumerated(strata) -> float:
    """P(sum >= observed), by going through every outcome of every stratum."""
    observed, tail = sum(both for _, both, _, _ in strata), Fraction(0)
    for chosen in product(*(draws(a, n, h) for a, _, n, h in strata)):
        if sum(k for k, _ in chosen) >= observed:
            share = Fraction(1)
            for _, probability in chosen:
                share *= probability
            tail += share
    return float(tail)


def convolved(both, active, having, total) -> float:
    """The same by convolving the exact distributions of the strata."""
    every = [Fraction(1)]
    lowest = 0
    for a, h, n in zip(active, having, total, strict=True):
        stratum = draws(int(a), int(n), int(h))
        lowest += stratum[0][0]
        summed = [Fraction(0)] * (len(every) + len(stratum) - 1)
        for i, x in enumerate(every):
            for j, (_, y) in enumerate(stratum):
                summed[i + j] += x * y
        every = summed
    return float(sum(every[max(0, int(both) - lowest) :]))


def one_stratum(rows) -> np.ndarray:
    both, *rest = columns(rows)
    return stratified_tail(both, *(each[:, None] for each in rest))


@given(counted_tables())
def test_the_tail_is_the_share_of_draws_with_as_many(rows):
    """Law: P(X >= k) is what counting the draws gives."""
    expected = [enumerated([row]) for row in rows]
    assert hypergeometric_tail(*columns(rows)) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=60)
@given(counts_of_strata())
def test_the_tail_of_a_sum_is_the_share_of_draws_within_strata(strata):
    both, *rest = columns(strata)
    found = stratified_tail(both.sum(keepdims=True), *(each[None, :] for each in rest))
    assert found[0] == pytest.approx(enumerated(strata), rel=1e-9)


@pytest.mark.parametrize("base", [0.03, 0.5, 0.95])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.97])
def test_the_tail_of_a_sum_is_exact_from_one_end_to_the_other(base, share):
    rng, n = np.random.default_rng(0), np.array([90, 60, 40])
    active, having = rng.binomial(n, share), rng.binomial(n, base)
    sums = np.arange(np.maximum(0, active + having - n).sum(), np.minimum(active, having).sum() + 1)
    arrays = [np.broadcast_to(each, (len(sums), 3)).astype(float) for each in (active, having, n)]
    expected = [convolved(both, active, having, n) for both in sums]
    assert stratified_tail(sums.astype(float), *arrays) == pytest.approx(expected, rel=1e-9)


def test_one_stratum_is_the_hypergeometric_tail():
    rows = [(a, k, 1495, h) for a, h in [(40, 20), (100, 1084), (700, 821)] for k in range(3, 21)]
    rows += [(5, 5, 100_000, 5), (300, 300, 1000, 350), (100, 100, 1000, 990)]
    assert one_stratum(rows) == pytest.approx(hypergeometric_tail(*columns(rows)), rel=1e-9)


@pytest.mark.parametrize("total", [1495, 100_000, LARGEST_TABLE + 1])
def test_the_tail_is_scipys(total):
    rng = np.random.default_rng(0)
    active = np.geomspace(1, total // 2, 40).round()
    having = np.geomspace(total // 2, 1, 40).round()
    expected = active * having / total + rng.uniform(-3, 6, 40) * np.sqrt(active * having / total)
    both = np.clip(expected.round(), 0, np.minimum(active, having))
    totals = np.full(40, float(total))
    found = hypergeometric_tail(both, active, having, totals)
    scipys = hypergeom.sf(both - 1, totals, having, active)
    assert found == pytest.approx(scipys, rel=1e-6, abs=1e-290)


def test_tails_too_small_for_a_number_have_logs():
    """1,000 of 2,000 having it, all 1,000 active: one draw of C(2000, 1000), log10 about -600."""
    n, a = np.full(2, 1000.0), np.full(2, 500.0)  # in two strata, squared
    found = log_stratified_tail(np.array([1000.0]), a[None], a[None], n[None])
    ways = 2 * log(comb(1000, 500))
    assert found[0] == pytest.approx(-ways, rel=1e-9)
    assert ways > 1_300


def test_no_rows_have_no_tails():
    assert len(hypergeometric_tail(*np.empty((4, 0)))) == 0
    assert len(stratified_tail(np.empty(0), *np.empty((3, 0, 2)))) == 0


def test_rows_do_not_depend_on_each_other():
    """Law: a batch gives what each row gives alone, whatever the widths of the others."""
    rng = np.random.default_rng(1)
    total = rng.integers(1, 2_000, (200, 3))
    active, having = rng.binomial(total, rng.random((200, 1))), rng.binomial(total, 0.3)
    both = rng.hypergeometric(having, total - having, active).sum(axis=1).astype(float)
    arrays = [each.astype(float) for each in (active, having, total)]
    together = stratified_tail(both, *arrays)
    for row in range(0, 200, 20):
        alone = stratified_tail(both[[row]], *(each[[row]] for each in arrays))
        assert alone[0] == pytest.approx(together[row], rel=1e-9)
