from fractions import Fraction
from math import comb, log, sqrt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from polars.testing import assert_frame_equal
from scipy.stats import fisher_exact

from strategies import counted_tables
from studyrun_classify import associate
from studyrun_classify.statistics.association import adjusted, rates, upper_tails
from studyrun_classify.statistics.power import detectable_rate, rate_at, rate_test_needs


def table(*rows: tuple[int, int, int, int]) -> pl.DataFrame:
    """(n_active, n_active_with, n_total, n_with) as the table that `associate` takes."""
    counts = ["n_active", "n_active_with", "n_total", "n_with"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(counts, pl.UInt32), orient="row")
    named = {"feature": pl.int_range(pl.len()), "concept": pl.lit("c"), "kind": pl.lit("value")}
    return frame.select(**named, **{name: name for name in counts})


def tail(active: int, both: int, total: int, having: int) -> Fraction:
    """P(X >= both), by counting the draws."""
    drawn = range(both, min(active, having) + 1)
    ways = sum(comb(having, x) * comb(total - having, active - x) for x in drawn)
    return Fraction(ways, comb(total, active))


def adjusted_naively(p: list[float]) -> list[float]:
    """Benjamini and Hochberg by their definition: min over p_j >= p of m p_j / rank_j."""
    m = len(p)
    return [
        min(1.0, *(m * other / sum(x <= other for x in p) for other in p if other >= each))
        for each in p
    ]


def power_of(n: int, rate: float, base: float, level: float) -> float:
    """Of the exact binomial test, by adding up its distribution."""

    def at_least(c: int, share: float) -> float:
        return sum(comb(n, x) * share**x * (1 - share) ** (n - x) for x in range(c, n + 1))

    critical = next(c for c in range(n + 2) if at_least(c, base) <= level)
    return at_least(critical, rate)


@given(counted_tables())
def test_p_is_the_share_of_draws_with_as_many(rows):
    expected = [float(tail(*row)) for row in rows]
    assert upper_tails(table(*rows)) == pytest.approx(expected, rel=1e-9)


def test_p_is_fishers_one_sided_p():
    rows = [(100, 99, 1495, 1084), (4, 4, 1495, 821), (60, 20, 200, 70)]
    expected = []
    for active, both, total, having in rows:
        cells = [[both, active - both], [having - both, total - active - having + both]]
        expected.append(fisher_exact(cells, alternative="greater").pvalue)
    assert associate(table(*rows))["p"].to_list() == pytest.approx(expected, rel=1e-9)


@given(counted_tables())
def test_q_is_benjamini_hochberg_over_the_whole_table(rows):
    found = associate(table(*rows))
    assert found["q"].to_list() == pytest.approx(adjusted_naively(found["p"].to_list()))


def test_q_of_nothing_is_nothing():
    assert len(adjusted(np.empty(0))) == 0


@given(counted_tables())
def test_rates_and_odds_are_what_the_docstring_says(rows):
    for row, found in zip(rows, rates(table(*rows)).iter_rows(named=True), strict=True):
        active, both, total, having = row
        assert found["rate"] == (both / active if active else None)
        assert found["base_rate"] == having / total
        expected = (both / active) / (having / total) if active and having else None
        assert found["lift"] == (None if expected is None else pytest.approx(expected))
        a, b = both + 0.5, active - both + 0.5
        c, d = having - both + 0.5, total - active - having + both + 0.5
        assert found["log_odds"] == pytest.approx(log(a * d / (b * c)), abs=1e-12)
        half = 1.959964 * sqrt(1 / a + 1 / b + 1 / c + 1 / d)
        assert found["ci_high"] - found["log_odds"] == pytest.approx(half, rel=1e-6)
        assert found["log_odds"] - found["ci_low"] == pytest.approx(half, rel=1e-6)


@given(counted_tables())
def test_the_verdict_follows_from_q_n_needed_and_the_interval(rows):
    for found in associate(table(*rows), alpha=0.05).iter_rows(named=True):
        enough = found["n_needed"] is not None and found["n_active"] >= found["n_needed"]
        absent = enough or found["ci_high"] < log(2)
        expected = "not-enriched" if absent else "insufficient"
        assert found["verdict"] == ("enriched" if found["q"] <= 0.05 else expected)


def test_four_of_four_is_insufficient_and_says_how_many_it_would_take():
    found = associate(table((4, 4, 1495, 821))).row(0, named=True)
    assert found["verdict"] == "insufficient"
    assert 0.55**7 > 0.01 > 0.55**8
    assert found["n_needed"] == 8


@pytest.mark.parametrize("base", [0.05, 0.3, 0.55, 0.9])
@pytest.mark.parametrize("odds_ratio", [2.0, 6.0])
@pytest.mark.parametrize("level", [0.01, 1e-4])
def test_n_needed_is_the_smallest_number_with_the_power(base, odds_ratio, level):
    rate = rate_at(odds_ratio, np.array([base]), np.array([0.0]))
    needed = rate_test_needs(rate, np.array([base]), np.array([0.0]), level, 0.8)[0]
    if needed <= 200:
        fewer = range(max(1, int(needed) - 10), int(needed))
        assert max((power_of(n, rate[0], base, level) for n in fewer), default=0) < 0.8
        assert power_of(int(needed), rate[0], base, level) >= 0.8
    else:  # in steps of 5 %
        rates = detectable_rate(np.array([needed, needed // 1.15]), base, level, 0.8)
        assert rates[0] <= rate[0] < rates[1]


def test_n_needed_uses_the_smallest_effect_where_less_was_seen():
    unlike, alike = associate(table((50, 5, 1000, 500), (50, 25, 1000, 500)))["n_needed"]
    assert unlike == alike


def test_n_needed_is_out_of_reach_where_no_number_would_do():
    always, never, everybody = (10, 5, 10, 5), (5, 0, 10, 0), (5, 5, 10, 10)
    assert associate(table(always, never, everybody))["n_needed"].to_list() == [None] * 3


def test_n_needed_is_right_in_a_simulation_of_common_features():
    """Half of the problems active: drawing without replacement makes the test twice as sharp."""
    rng, base, share, level = np.random.default_rng(0), np.array([0.4]), np.array([0.5]), 1e-3
    rate = rate_at(3.0, base, share)
    n = int(rate_test_needs(rate, base, share, level, 0.8)[0])
    other_rate = 2 * base - rate  # among the inactive, so that the base rate is 0.4
    both, rest = rng.binomial(n, rate, 4000), rng.binomial(n, other_rate, 4000)
    p = upper_tails(table(*((n, b, 2 * n, b + r) for b, r in zip(both, rest, strict=True))))
    assert 0.77 <= (p <= level).mean() <= 0.86


@given(counted_tables())
def test_rate_at_keeps_the_margins_and_has_the_odds_ratio(rows):
    for active, _, total, having in rows:
        share, base = active / total, having / total
        if not (0 < share < 1 and 0 < base < 1):
            continue
        rate = rate_at(3.0, np.array([base]), np.array([share]))[0]
        other = (base - share * rate) / (1 - share)
        assert (rate / (1 - rate)) / (other / (1 - other)) == pytest.approx(3.0, rel=1e-6)


def test_rows_keep_their_order_and_other_columns_stay():
    rows = table((100, 99, 1495, 1084), (4, 4, 1495, 821)).with_columns(layer=pl.Series([14, 3]))
    found = associate(rows)
    assert_frame_equal(found.select(rows.columns), rows)
    backwards = associate(rows.reverse())
    assert_frame_equal(backwards.reverse(), found)


def test_an_empty_table_gives_an_empty_table_with_all_columns():
    found = associate(table())
    assert found.height == 0
    assert found.columns == associate(table((1, 1, 2, 1))).columns


@pytest.mark.parametrize(
    "row", [(3, 4, 10, 5), (5, 5, 10, 4), (6, 1, 10, 6), (None, 0, 10, 5)],
    ids=["more with than active", "more with than having", "too few problems", "missing"],
)  # fmt: skip
def test_counts_that_contradict_each_other_are_refused(row):
    with pytest.raises(ValueError, match="these counts contradict each other"):
        associate(table((1, 1, 2, 1), row))


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="has no column n_with"):
        associate(table((1, 1, 2, 1)).drop("n_with"))
