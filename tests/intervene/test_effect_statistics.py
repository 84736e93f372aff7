"""Statistics of effects: every fast path against a plain one, every promise against null data."""

from fractions import Fraction
from itertools import permutations, product
from math import exp, isnan, nan, sqrt
from statistics import NormalDist

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, fisher_exact, permutation_test

from strategies import Effects, effects
from studyrun_intervene.statistics import bootstrap, sign_flip
from studyrun_intervene.statistics import specificity as specificity_module
from studyrun_intervene.statistics.acting import effect_means, on_acting
from studyrun_intervene.statistics.bootstrap import (
    difference_interval,
    known_central,
    mean_interval,
)
from studyrun_intervene.statistics.discovery import q_values
from studyrun_intervene.statistics.intervals import central, percentile_of, resampled_rows
from studyrun_intervene.statistics.matched import means_of, rank_among_matched
from studyrun_intervene.statistics.noise import NoiseFloor, above_floor, noise_floor
from studyrun_intervene.statistics.power import (
    discordant_test_needs,
    least_differences,
    mean_test_needs,
)
from studyrun_intervene.statistics.sign_flip import random_signs, sign_flip_test
from studyrun_intervene.statistics.specificity import (
    label_exchange_test,
    random_orders,
    specificity,
)

seeds = st.integers(0, 2**16)
LEVELS = (0.01, 0.05, 0.2)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def float64(listed) -> torch.Tensor:
    return torch.tensor(listed, dtype=torch.float64)


def approx(value):
    return pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True)


def half(shape, share, generator):
    """Flags, each true with probability `share`."""
    return torch.rand(shape, generator=generator) < share


def assert_valid(p, *, uniform=False):
    """P(p <= a) <= a, and about a where nothing ties, to 3 standard errors."""
    assert not p.isnan().any()
    for level in LEVELS:
        found, error = float((p <= level).double().mean()), sqrt(level * (1 - level) / len(p))
        assert found <= level + 3 * error, (level, found)
        assert not uniform or found >= level - 3 * error, (level, found)


def in_batches(test, sets=2000, at_once=20):
    """P-values of so many data sets; few share their signs or orders, whose luck is one for all."""
    return torch.cat([test(seeded(1000 + batch), at_once) for batch in range(sets // at_once)])


DRAWS = {
    "normal": lambda shape, g: torch.randn(shape, generator=g, dtype=torch.float64),
    "skewed": lambda shape, g: torch.randn(shape, generator=g, dtype=torch.float64).exp(),
    "rare 0/1": lambda shape, g: half(shape, 0.1, g).double(),
    "even 0/1": lambda shape, g: half(shape, 0.5, g).double(),
    "tenths": lambda shape, g: torch.randint(1, 4, shape, generator=g).double() / 10,
}


# ---------------------------------------------------------------- means


@given(effects())
def test_means_are_over_acting_problems_and_over_all(found: Effects):
    """Law: the mean of what a plain loop collects; NaN where it collects nothing."""
    means = effect_means(found.values, found.acts)
    for edit in found.edits:
        mine = found.acting(edit)
        assert means.n[edit] == len(mine)
        assert means.acting[edit] == approx(sum(mine) / 10 / len(mine) if mine else nan)
        assert means.every[edit] == approx(sum(mine) / 10 / found.acts.shape[1])


@given(effects(), st.sampled_from([torch.nan, torch.inf, -torch.inf]))
def test_what_is_measured_where_nothing_is_edited_does_not_matter(found: Effects, noise):
    """Law: on_acting is 0 where an edit does not act, whatever stands there."""
    noisy = torch.where(found.acts, found.values, noise)
    assert torch.equal(on_acting(noisy, found.acts), found.values * found.acts)


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf, 1e308])
def test_an_effect_that_is_no_number_is_refused(wrong):
    values, acts = (
        torch.full((2, 3), wrong, dtype=torch.float64),
        torch.tensor([[0, 0, 0], [1, 1, 1]]).bool(),
    )
    signs, orders = random_signs(3, 9, seeded(0)), random_orders(3, 9, seeded(0))
    for test in (
        lambda: effect_means(values, acts),
        lambda: mean_interval(values, acts, torch.ones(4, 3).double()),
        lambda: sign_flip_test(values, acts, signs),
        lambda: label_exchange_test(values, acts, acts, orders),
        lambda: mean_test_needs(values, acts),
        lambda: discordant_test_needs(values, acts),
    ):
        with pytest.raises(ValueError, match="not a finite number"):
            test()


# ---------------------------------------------------------------- intervals


def plain_samples(found: Effects, edit: int, weights) -> list[float]:
    """The mean of every resample, drawn out problem by problem; None left out."""
    samples = []
    for counts in (weights * weights.shape[1]).round().int().tolist():
        drawn = [
            tenth / 10
            for tenth, acts, count in zip(
                found.tenths[edit].tolist(), found.acts[edit].tolist(), counts, strict=True
            )
            for _ in range(count if acts else 0)
        ]
        samples += [sum(drawn) / len(drawn)] if drawn else []
    return samples


@settings(max_examples=50)
@given(effects(), seeds, st.sampled_from([0.5, 0.95]))
def test_the_interval_is_that_of_resampled_problems(found: Effects, seed, confidence):
    """Law: percentiles of the means over the acting problems drawn; draws without any left out."""
    weights = resampled_rows(found.acts.shape[1], 30, seeded(seed))
    interval = mean_interval(found.values, found.acts, weights, confidence)
    for edit in found.edits:
        ends = [interval.low[edit].item(), interval.high[edit].item()]
        if len(found.acting(edit)) < 2:
            assert all(map(isnan, ends))
            continue
        tails = [50 * (1 - confidence), 50 * (1 + confidence)]
        assert ends == approx(np.percentile(plain_samples(found, edit, weights), tails))


@given(effects(), seeds)
def test_the_interval_of_a_difference_of_arms_is_paired(found: Effects, seed):
    """Law: an arm that differs from its control by a constant has the constant as its interval."""
    weights = resampled_rows(found.acts.shape[1], 20, seeded(seed))
    control = found.values.roll(1, dims=1)
    interval = mean_interval(control + 0.7 - control, found.acts, weights)
    enough = found.acts.sum(1) >= 2
    for end in (interval.low, interval.high):
        assert end[enough].tolist() == pytest.approx([0.7] * int(enough.sum()))


@given(effects(), seeds)
def test_known_samples_are_ranked_as_all_samples_are(found: Effects, seed):
    """Law: without NaN `known_central` is `central`; NaN samples are as if not there."""
    samples = torch.randn(len(found.edits), 12, generator=seeded(seed), dtype=torch.float64)
    whole, gaps = central(samples.T, 0.8), torch.full((len(samples), 5), torch.nan).double()
    for found_interval in (
        known_central(samples, 0.8),
        known_central(torch.cat([gaps, samples], dim=1), 0.8),
    ):
        torch.testing.assert_close(found_interval.low, whole.low)
        torch.testing.assert_close(found_interval.high, whole.high)


def test_no_resamples_give_no_interval():
    acts = torch.ones(1, 3, dtype=torch.bool)
    with pytest.raises(ValueError, match="no resamples"):
        mean_interval(acts.double(), acts, torch.ones(0, 3).double())


def covers(interval, truth) -> float:
    return float(((interval.low <= truth) & (truth <= interval.high)).double().mean())


@pytest.mark.parametrize(
    ("draw", "truth", "acting"),
    [
        ("normal", 0.0, 30),
        ("skewed", exp(0.5), 100),
        ("rare 0/1", 0.1, 100),
        ("even 0/1", 0.5, 30),
        ("tenths", 0.2, 30),
    ],
)
def test_the_interval_covers_the_mean_as_often_as_it_says(draw, truth, acting):
    """Law: 90 to 99 % of 500 intervals of 95 %, of problems of which half act."""
    generator = seeded(3)
    values = DRAWS[draw]((500, 2 * acting), generator)
    acts = half(values.shape, 0.5, generator)
    weights = resampled_rows(2 * acting, 500, generator)
    assert 0.90 <= covers(mean_interval(values, acts, weights), truth) <= 0.99


@pytest.mark.parametrize(
    ("acting", "normal", "skewed"), [(2, 50, 42), (3, 75, 65), (5, 87, 75), (10, 91, 81)]
)
def test_the_intervals_of_few_problems_are_too_short_by_as_much_as_is_said(acting, normal, skewed):
    """Law: the table in the docstring of `mean_interval`, to 3 %."""
    generator, row = seeded(4), {"normal effects": normal, "log-normal effects": skewed}
    weights = resampled_rows(60, 400, generator)
    acts = (torch.arange(60) < acting).expand(2000, 60)
    for draw, truth, said in (("normal", 0.0, normal), ("skewed", exp(0.5), skewed)):
        values = DRAWS[draw]((2000, 60), generator)
        assert covers(mean_interval(values, acts, weights), truth) == pytest.approx(
            said / 100, abs=0.03
        )
    for name, said in row.items():
        lines = (mean_interval.__doc__ or "").splitlines()
        column = next(line.split() for line in lines if "acting problems  " in line)[2:]
        (numbers,) = (line.split()[2:] for line in lines if line.strip().startswith(name))
        assert int(numbers[column.index(str(acting))]) == said


# ---------------------------------------------------------------- sign flips


def plain_flips(tenths: list[int], patterns) -> tuple[int, int]:
    """How many patterns give as large a sum, and as large an absolute one, in integers."""
    own = sum(tenths)
    sums = [sum(s * t for s, t in zip(signs, tenths, strict=True)) for signs in patterns]
    return sum(each >= own for each in sums), sum(abs(each) >= abs(own) for each in sums)


@settings(max_examples=60)
@given(effects(most=9))
def test_few_problems_give_the_exact_p(found: Effects):
    """Law: the share of all 2^n patterns of n acting problems, in integers; NaN where n is 0."""
    signs = random_signs(found.acts.shape[1], 5, seeded(0))
    p = sign_flip_test(found.values, found.acts, signs)
    for edit in found.edits:
        mine = found.acting(edit)
        if not mine:
            assert p.greater[edit].isnan()
            assert p.two_sided[edit].isnan()
            continue
        greater, either = plain_flips(mine, product([-1, 1], repeat=len(mine)))
        assert p.greater[edit].item() == greater / 2 ** len(mine)
        assert p.two_sided[edit].item() == either / 2 ** len(mine)
        assert p.greater[edit] >= 2.0 ** -len(mine)


@settings(max_examples=60)
@given(effects(pool=[-3, -2, -1, 1, 2, 3], least=20, most=30, shares=(0.8, 1.1)), seeds)
def test_many_problems_give_the_share_of_flips(found: Effects, seed):
    """Law: (1 + #{T_b >= T}) / (1 + B), counted in integers: ties that floats break still tie."""
    signs = random_signs(found.acts.shape[1], 40, seeded(seed))
    p = sign_flip_test(found.values, found.acts, signs)
    for edit in found.edits:
        if len(found.acting(edit)) > 12:
            patterns = signs[:, found.acts[edit]].int().tolist()
            greater, either = plain_flips(found.acting(edit), patterns)
            assert p.greater[edit].item() == pytest.approx((1 + greater) / 41, rel=1e-12)
            assert p.two_sided[edit].item() == pytest.approx((1 + either) / 41, rel=1e-12)


@pytest.mark.parametrize(("alternative", "name"), [("greater",) * 2, ("two-sided", "two_sided")])
def test_the_exact_p_is_scipys(alternative, name):
    values = DRAWS["normal"]((4, 10), seeded(1)) + torch.arange(4.0)[:, None] / 4
    p = sign_flip_test(values, torch.ones(4, 10).bool(), random_signs(10, 1, seeded(0)))
    for edit in range(4):
        expected = permutation_test(
            (values[edit].numpy(),),
            np.mean,
            permutation_type="samples",
            n_resamples=np.inf,
            alternative=alternative,
        )
        assert getattr(p, name)[edit].item() == pytest.approx(expected.pvalue)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 40))
def test_of_0_1_outcomes_it_is_mcnemars_exact_test(more, less, same):
    """Law: the binomial test of the discordant problems, however many are concordant."""
    assume(0 < more + less <= 12)
    d = float64([[1.0] * more + [-1.0] * less + [0.0] * same])
    p = sign_flip_test(d, torch.ones_like(d).bool(), random_signs(d.shape[1], 1, seeded(0)))
    for found, alternative in ((p.greater, "greater"), (p.two_sided, "two-sided")):
        expected = binomtest(more, more + less, 0.5, alternative=alternative).pvalue
        assert found.item() == pytest.approx(expected)


def test_sampled_and_exact_p_agree(monkeypatch):
    values, signs = DRAWS["normal"]((50, 12), seeded(2)) + 0.3, random_signs(12, 20_000, seeded(0))
    acts = torch.ones(50, 12).bool()
    exact = sign_flip_test(values, acts, signs)
    monkeypatch.setattr(sign_flip, "EXACT_UP_TO", 0)
    sampled = sign_flip_test(values, acts, signs)
    torch.testing.assert_close(sampled.greater, exact.greater, atol=0.015, rtol=0)
    torch.testing.assert_close(sampled.two_sided, exact.two_sided, atol=0.015, rtol=0)


@given(effects(), st.sampled_from([1e-12, 0.3, 1e9]), seeds)
def test_the_unit_does_not_matter(found: Effects, factor, seed):
    """Law: for c > 0 the p of c * d is that of d; the two-sided one is also that of -d."""
    signs = random_signs(found.acts.shape[1], 30, seeded(seed))
    p = sign_flip_test(found.values, found.acts, signs)
    larger = sign_flip_test(factor * found.values, found.acts, signs)
    torch.testing.assert_close(larger.greater, p.greater, equal_nan=True)
    opposite = sign_flip_test(-found.values, found.acts, signs)
    torch.testing.assert_close(opposite.two_sided, p.two_sided, equal_nan=True)


def test_three_differences_by_hand():
    """Of 8 patterns one has 3 signs alike, and 3 have one opposite."""
    d = float64([[0.1, 0.1, 0.1], [0.1, 0.1, -0.1]])
    p = sign_flip_test(d, torch.ones(2, 3).bool(), random_signs(3, 1, seeded(0)))
    assert p.greater.tolist() == [1 / 8, 4 / 8]
    assert p.two_sided.tolist() == [2 / 8, 1]


def test_differences_of_0_are_evidence_of_nothing():
    p = sign_flip_test(
        torch.zeros(1, 40).double(), torch.ones(1, 40).bool(), random_signs(40, 9, seeded(0))
    )
    assert (p.greater.item(), p.two_sided.item()) == (1, 1)


def test_signs_are_even_and_independent():
    signs = random_signs(6, 20_000, seeded(0))
    assert signs.dtype == torch.float64
    assert set(signs.unique().tolist()) == {-1, 1}
    torch.testing.assert_close(signs.T @ signs / 20_000, torch.eye(6).double(), atol=0.03, rtol=0)
    torch.testing.assert_close(signs.mean(0), torch.zeros(6).double(), atol=0.03, rtol=0)


@pytest.mark.parametrize("problems", [6, 14, 40])
@pytest.mark.parametrize("draw", DRAWS)
def test_where_nothing_matters_the_paired_p_is_valid(draw, problems):
    """Law: P(p <= a) <= a where own and control are exchangeable, both tails; about a if no tie."""

    def p_values(generator, edits):
        own, control = (DRAWS[draw]((edits, problems), generator) for _ in range(2))
        signs = random_signs(problems, 199, generator)
        p = sign_flip_test(own - control, torch.ones(edits, problems).bool(), signs)
        return torch.stack([p.greater, p.two_sided], dim=1)

    p, continuous = in_batches(p_values), draw in ("normal", "skewed") and problems > 6
    assert_valid(p[:, 0], uniform=continuous)
    assert_valid(p[:, 1], uniform=continuous)


# ---------------------------------------------------------------- matched controls


@given(st.lists(st.sampled_from([None, -20, -1, 0, 1, 3, 20]), max_size=9), seeds)
def test_the_rank_counts_known_controls(tenths, own):
    """Law: shares and p of a plain count; equal ones half, unknown ones not at all."""
    own = own % 5 - 1
    controls = float64([[nan if t is None else t * 0.1 for t in tenths]])
    rank = rank_among_matched(float64([own * 0.1]), controls)
    known = [t for t in tenths if t is not None]
    assert rank.n.item() == len(known)
    if not known:
        assert rank.share_below.isnan()
        assert rank.p.isnan()
        return
    expected = sum((t < own) + (t == own) / 2 for t in known) / len(known)
    assert rank.share_below.item() == approx(expected)
    assert rank.p.item() == approx((1 + sum(t >= own for t in known)) / (1 + len(known)))


def test_rounding_breaks_no_tie_of_controls():
    rank = rank_among_matched(float64([0.1 + 0.2]), float64([[0.3, 0.3]]))
    assert (rank.share_below.item(), rank.p.item()) == (0.5, 1)


def test_with_distinct_means_the_share_is_percentile_of():
    own, controls = DRAWS["normal"]((20,), seeded(0)), DRAWS["normal"]((20, 15), seeded(1))
    expected = percentile_of(own, controls.T)
    torch.testing.assert_close(rank_among_matched(own, controls).share_below, expected)


def test_an_edit_without_a_mean_or_without_controls_has_no_rank():
    own, controls = float64([nan, 1.0]), float64([[1.0], [nan]])
    rank = rank_among_matched(own, controls)
    assert rank.share_below.isnan().all()
    assert rank.p.isnan().all()
    assert rank_among_matched(own, controls[:, :0]).p.isnan().all()


def test_controls_are_looked_up_by_row():
    means = float64([5.0, nan, 7.0])
    found = means_of(means, torch.tensor([[2, 0], [1, -1]]))
    assert found[0].tolist() == [7, 5]
    assert found[1].isnan().all()
    assert means_of(means[:0], torch.tensor([[-1]])).isnan().all()
    with pytest.raises(IndexError):
        means_of(means, torch.tensor([[4]]))


@pytest.mark.parametrize("draw", DRAWS)
def test_where_edits_are_like_their_controls_the_rank_is_valid(draw):
    """Law: P(p <= a) <= a for means over 12 problems each, of an edit and 19 controls."""

    def p_values(generator, edits):
        means = DRAWS[draw]((edits, 20, 12), generator).mean(2)
        return rank_among_matched(means[:, 0], means[:, 1:]).p

    assert_valid(in_batches(p_values))


# ---------------------------------------------------------------- false discoveries


@given(st.lists(st.sampled_from([nan, 0.0, 1e-5, 0.01, 0.02, 0.04, 0.3, 1.0]), max_size=12))
def test_q_is_stepped_up_over_the_tests_made(listed):
    """Law: q = min over larger p of m p / rank, m the tests that are not NaN; NaN stays NaN."""
    q = q_values(float64(listed)).tolist()
    made = sorted(p for p in listed if not isnan(p))
    for p, found in zip(listed, q, strict=True):
        larger = [len(made) * made[i] / (i + 1) for i in range(len(made)) if made[i] >= p]
        assert found == approx(nan if isnan(p) else min(larger))


def test_what_is_no_p_value_is_refused():
    with pytest.raises(ValueError, match="0 and 1"):
        q_values(float64([0.5, 1.5]))


def test_of_what_is_found_few_are_false():
    """Law: at alpha = 0.1 and 30 of 40 true nulls, the mean false share is at most 0.1 * 30 / 40.

    To 3 standard errors, of 400 sets of sign-flip tests, a quarter of them without a test; and what
    is there is found.
    """
    generator, shares, found_true = seeded(5), [], 0
    for _ in range(20):
        signs = random_signs(24, 1999, generator)
        d = DRAWS["normal"]((20, 52, 24), generator)
        d[:, :10] += 1.2
        acts = torch.ones(20, 52, 24).bool()
        acts[:, 40:] = False
        p = sign_flip_test(d.flatten(0, 1), acts.flatten(0, 1), signs).greater.reshape(20, 52)
        for row in p:
            q = q_values(row)
            assert q[40:].isnan().all()
            false, true = int((q[10:40] <= 0.1).sum()), int((q[:10] <= 0.1).sum())
            shares.append(false / max(false + true, 1))
            found_true += true
    error = np.std(shares) / sqrt(len(shares))
    assert np.mean(shares) <= 0.1 * 30 / 40 + 3 * error
    assert found_true / (10 * len(shares)) >= 0.9


# ---------------------------------------------------------------- specificity


def split(found: Effects, holds, edit: int) -> tuple[list[int], list[int]]:
    """The tenths of an edit's acting problems with and without the concept."""
    rows = list(
        zip(
            found.tenths[edit].tolist(),
            found.acts[edit].tolist(),
            holds[edit].tolist(),
            strict=True,
        )
    )
    return [t for t, a, h in rows if a and h], [t for t, a, h in rows if a and not h]


@settings(max_examples=60)
@given(effects(), seeds, st.sampled_from([0.1, 0.5, 1.1]))
def test_specificity_compares_acting_problems_only(found: Effects, seed, share):
    """Law: means, ratio, difference and exchanged labels of a plain loop in exact numbers."""
    generator, problems = seeded(seed), found.acts.shape[1]
    holds = half(found.acts.shape, share, generator)
    weights, orders = (
        resampled_rows(problems, 20, generator),
        random_orders(problems, 19, generator),
    )
    result = specificity(found.values, found.acts, holds, weights, orders, 0.9)
    for edit in found.edits:
        having, others = split(found, holds, edit)
        assert (result.n_with[edit], result.n_without[edit]) == (len(having), len(others))
        assert result.mean_with[edit] == approx(np.mean(having) / 10 if having else nan)
        assert result.mean_without[edit] == approx(np.mean(others) / 10 if others else nan)
        if not having or not others:
            for each in (result.ratio, result.difference, result.p.greater, result.p.two_sided):
                assert each[edit].isnan()
            continue
        assert result.difference[edit] == approx((np.mean(having) - np.mean(others)) / 10)
        if sum(others):
            assert result.ratio[edit] == approx(np.mean(having) / np.mean(others))
        greater, either = plain_exchange(found, holds, edit, orders)
        assert result.p.greater[edit].item() == pytest.approx((1 + greater) / 20, rel=1e-12)
        assert result.p.two_sided[edit].item() == pytest.approx((1 + either) / 20, rel=1e-12)


def plain_exchange(found: Effects, holds, edit: int, orders) -> tuple[int, int]:
    """How many orders give as large a difference of means, and as large an absolute one."""
    having, others = split(found, holds, edit)

    def difference(some, rest):
        return Fraction(sum(some), len(some)) - Fraction(sum(rest), len(rest))

    own, samples = difference(having, others), []
    for order in orders.tolist():
        acting = found.acting(edit)
        drawn = [acting[place] for place in order if place < len(acting)]
        samples.append(difference(drawn[: len(having)], drawn[len(having) :]))
    return sum(s >= own for s in samples), sum(abs(s) >= abs(own) for s in samples)


def test_the_ratio_to_no_effect_at_all_is_undefined():
    values, acts = float64([[1.0, 2.0, 0.0, 0.0]]), torch.ones(1, 4).bool()
    holds = torch.tensor([[True, True, False, False]])
    weights, orders = resampled_rows(4, 50, seeded(0)), random_orders(4, 50, seeded(0))
    result = specificity(values, acts, holds, weights, orders)
    assert result.ratio.isnan().item()
    assert result.difference.item() == 1.5


@settings(max_examples=40)
@given(effects(), seeds)
def test_the_interval_of_the_difference_is_that_of_resampled_problems(found: Effects, seed):
    """Law: percentiles of the differences; draws without either side left out; NaN below 2."""
    generator = seeded(seed)
    holds = half(found.acts.shape, 0.5, generator)
    weights = resampled_rows(found.acts.shape[1], 25, generator)
    first, second = found.acts & holds, found.acts & ~holds
    interval = difference_interval(found.values, first, second, weights, 0.8)
    for edit in found.edits:
        ends = [interval.low[edit].item(), interval.high[edit].item()]
        if min(int(first[edit].sum()), int(second[edit].sum())) < 2:
            assert all(map(isnan, ends))
            continue
        samples = []
        for row in weights:
            inside = plain_samples(Effects(found.tenths, first), edit, row[None])
            outside = plain_samples(Effects(found.tenths, second), edit, row[None])
            samples += [inside[0] - outside[0]] if inside and outside else []
        assert ends == approx(np.percentile(samples, [10, 90]))


def test_of_0_1_outcomes_it_is_fishers_exact_test():
    """Law: the sampled p is within its error of the hypergeometric one, ties and all."""
    generator, shuffles = seeded(6), 4000
    values, holds = half((12, 30), 0.3, generator).double(), half((12, 30), 0.4, generator)
    acts, orders = half((12, 30), 0.8, generator), random_orders(30, shuffles, generator)
    p = label_exchange_test(values, acts, holds, orders).greater
    for edit in range(12):
        table = [
            [int((acts & side & (values == outcome))[edit].sum()) for outcome in (1, 0)]
            for side in (holds, ~holds)
        ]
        expected = fisher_exact(table, alternative="greater").pvalue
        error = sqrt(expected * (1 - expected) / shuffles)
        assert p[edit].item() == pytest.approx(expected, abs=4 * error + 1 / shuffles)


def test_equal_effects_are_evidence_of_nothing():
    """Law: p is 1 where all effects are equal, although their mean is off by rounding."""
    values, acts = torch.full((3, 13), 0.1).double(), torch.ones(3, 13).bool()
    holds = half((3, 13), 0.5, seeded(0))
    p = label_exchange_test(values, acts, holds, random_orders(13, 200, seeded(1)))
    assert p.greater.tolist() == [1, 1, 1]
    assert p.two_sided.tolist() == [1, 1, 1]


def test_every_order_is_as_likely():
    orders = random_orders(4, 24_000, seeded(0))
    _, counts = orders.unique(dim=0, return_counts=True)
    assert len(counts) == 24
    assert counts.min() > 850
    assert counts.max() < 1150


def test_an_order_of_more_things_is_an_order_of_few():
    """Law: without larger numbers each order of 3 things is as likely."""
    orders = [
        tuple(i for i in order if i < 3) for order in random_orders(9, 6000, seeded(0)).tolist()
    ]
    assert all(850 < orders.count(each) < 1150 for each in permutations(range(3)))


@pytest.mark.parametrize("draw", DRAWS)
def test_where_the_concept_does_not_matter_its_p_is_valid(draw):
    """Law: P(p <= a) <= a where the concept is blind to effects, both tails; about a if no tie."""

    def p_values(generator, edits):
        values = DRAWS[draw]((edits, 40), generator)
        acts, holds = half(values.shape, 0.8, generator), half(values.shape, 0.3, generator)
        p = label_exchange_test(values, acts, holds, random_orders(40, 199, generator))
        return torch.stack([p.greater, p.two_sided], dim=1)

    p = in_batches(p_values)
    assert_valid(p[:, 0], uniform=draw in ("normal", "skewed"))
    assert_valid(p[:, 1], uniform=draw in ("normal", "skewed"))


@pytest.mark.parametrize("draw", ["normal", "even 0/1", "tenths"])
def test_the_interval_of_the_difference_covers_it_as_often_as_it_says(draw):
    """Law: 90 to 99 % of 500 intervals of 95 %; the concept adds 0.4."""
    generator = seeded(7)
    holds, acts = half((500, 120), 0.4, generator), half((500, 120), 0.7, generator)
    values = DRAWS[draw]((500, 120), generator) + 0.4 * holds
    weights = resampled_rows(120, 400, generator)
    interval = difference_interval(values, acts & holds, acts & ~holds, weights)
    assert 0.90 <= covers(interval, 0.4) <= 0.99


# ---------------------------------------------------------------- problems needed


@given(effects(), st.sampled_from([0.01, 0.05, 0.2]), st.sampled_from([0.5, 0.8, 0.95]))
def test_the_problems_needed_are_those_of_the_formula(found: Effects, alpha, power):
    """Law: ((z_alpha + z_power) sd / mean)^2 rounded up, at least `least_differences`."""
    needed = mean_test_needs(found.values, found.acts, alpha=alpha, power=power)
    z = NormalDist().inv_cdf(1 - alpha / 2) + NormalDist().inv_cdf(power)
    for edit in found.edits:
        mine = np.array(found.acting(edit)) / 10
        if len(mine) < 2 or sum(found.acting(edit)) == 0:
            assert needed[edit].isnan()
            continue
        exact = (z * mine.std(ddof=1) / mine.mean()) ** 2
        assert needed[edit].item() == needed[edit].round().item()
        assert max(exact, least_differences(alpha)) <= needed[edit].item() + 1e-6
        assert needed[edit].item() < max(exact, least_differences(alpha)) + 1 + 1e-6


@given(effects(pool=[-10, 0, 0, 10, 10]), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_problems_needed_of_0_1_outcomes_are_those_of_connor(found: Effects, alpha):
    """Law: Connor's formula rounded up, with discordant pairs enough to find anything."""
    needed = discordant_test_needs(found.values, found.acts, alpha=alpha)
    z, z_power = NormalDist().inv_cdf(1 - alpha / 2), NormalDist().inv_cdf(0.8)
    for edit in found.edits:
        mine = [t // 10 for t in found.acting(edit)]
        if len(mine) < 2 or sum(mine) == 0:
            assert needed[edit].isnan()
            continue
        s, d = sum(map(abs, mine)) / len(mine), sum(mine) / len(mine)
        exact = (z * sqrt(s) + z_power * sqrt(max(s - d * d, 0))) ** 2 / d**2
        exact = max(exact, least_differences(alpha) / s)
        assert exact <= needed[edit].item() + 1e-6
        assert needed[edit].item() < exact + 1 + 1e-6


@given(st.floats(1e-6, 0.9))
def test_fewer_differences_than_the_least_find_nothing(alpha):
    """Law: n equal differences have the two-sided p 2^(1-n), at most alpha from the least n on."""
    least = least_differences(alpha)
    assert 2.0 ** (1 - least) <= alpha
    assert 2.0 ** (2 - least) > alpha


def test_of_0_1_outcomes_enough_have_to_differ():
    """By hand: the formula says 6 of these, of which 5.4 would differ; 6 have to."""
    d = float64([[1.0] * 9 + [0.0]])
    assert discordant_test_needs(d, torch.ones_like(d).bool()).item() == 7


def test_what_is_out_of_reach_has_no_number():
    d = float64([[1e-5, 1, -1, 0], [0, 0, 0, 0], [1, -1, 0, 0], [1, 0, 0, 0]])
    acts = torch.ones(4, 4).bool()
    acts[3, 1:] = False
    assert mean_test_needs(d, acts).isnan().all()
    assert discordant_test_needs(d.round(), acts).isnan().all()
    with pytest.raises(ValueError, match="-1, 0 and 1"):
        discordant_test_needs(d, acts)


def test_the_problems_needed_give_the_power():
    """Law: with so many problems the sign-flip test finds the difference 8 times in 10."""
    z = DRAWS["normal"]((1, 400), seeded(8))
    planned = (z - z.mean()) / z.std() + 0.4
    n = int(mean_test_needs(planned, torch.ones_like(planned).bool()).item())
    assert n == 50

    def p_values(generator, edits):
        d = DRAWS["normal"]((edits, n), generator) + 0.4
        return sign_flip_test(
            d, torch.ones_like(d).bool(), random_signs(n, 499, generator)
        ).two_sided

    assert 0.75 <= float((in_batches(p_values) <= 0.05).double().mean()) <= 0.85


def test_the_problems_needed_of_0_1_outcomes_give_the_power():
    """Law: about 8 times in 10; a little less, since the test with its ties is conservative."""
    planned = float64([[1.0] * 25 + [-1.0] * 8 + [0.0] * 67])
    n = int(discordant_test_needs(planned, torch.ones_like(planned).bool()).item())

    def p_values(generator, edits):
        u = torch.rand((edits, n), generator=generator, dtype=torch.float64)
        d = (u < 0.25).double() - (u > 0.92).double()
        return sign_flip_test(
            d, torch.ones_like(d).bool(), random_signs(n, 499, generator)
        ).two_sided

    assert 0.70 <= float((in_batches(p_values) <= 0.05).double().mean()) <= 0.85


# ---------------------------------------------------------------- noise


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_the_floor_is_what_noise_reached(repeats):
    """Law: the largest and the mean absolute value; no mean of the noise is above the floor."""
    values = float64(repeats)
    floor = noise_floor(values)
    assert floor.largest == max(map(abs, repeats))
    assert floor.mean == approx(sum(map(abs, repeats)) / len(repeats))
    assert not above_floor(values, floor).any()


def test_effects_above_the_floor_have_either_sign():
    means = float64([0.2, -0.2, 0.1, -0.1, 0.0, nan])
    assert above_floor(means, NoiseFloor(0.1, 0.05)).tolist() == [True, True, *[False] * 4]


@pytest.mark.parametrize(("repeats", "why"), [([], "nothing"), ([1.0, nan], "not a finite")])
def test_a_floor_of_nothing_is_undefined(repeats, why):
    with pytest.raises(ValueError, match=why):
        noise_floor(float64(repeats))


# ---------------------------------------------------------------- all of them


def everything(values, acts, generator) -> list[torch.Tensor]:
    """What every function of effects gives, as one list."""
    problems = acts.shape[1]
    weights, signs = resampled_rows(problems, 30, generator), random_signs(problems, 30, generator)
    orders, holds = random_orders(problems, 30, generator), values > 0.2
    means, interval = effect_means(values, acts), mean_interval(values, acts, weights)
    p, special = (
        sign_flip_test(values, acts, signs),
        specificity(values, acts, holds, weights, orders),
    )
    return [
        *(means.acting, means.every, interval.low, interval.high, p.greater, p.two_sided),
        *(special.ratio, special.difference, special.interval.low, special.interval.high),
        *(special.p.greater, special.p.two_sided, mean_test_needs(values, acts)),
        rank_among_matched(means.acting, means.acting[None].expand(len(values), -1)).p,
        q_values(p.greater),
    ]


def test_some_edits_at_a_time_are_all_at_once(monkeypatch):
    """Law: memory is bounded by blocks of edits, and results do not depend on their size."""
    values, acts = DRAWS["normal"]((23, 17), seeded(0)), half((23, 17), 0.7, seeded(1))
    whole = everything(values, acts, seeded(2))
    for module in (bootstrap, sign_flip, specificity_module):
        monkeypatch.setattr(module, "AT_ONCE", 70)
    for one, other in zip(everything(values, acts, seeded(2)), whole, strict=True):
        torch.testing.assert_close(one, other, equal_nan=True)


def test_no_edits_give_nothing():
    acts = torch.ones(0, 5, dtype=torch.bool)
    assert all(each.shape == (0,) for each in everything(acts.double(), acts, seeded(0)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_results_are_where_the_effects_are():
    values, acts = DRAWS["normal"]((23, 17), seeded(0)), half((23, 17), 0.7, seeded(1))
    there = everything(values.cuda(), acts.cuda(), seeded(2))
    assert all(each.is_cuda for each in there)
    for one, other in zip(there, everything(values, acts, seeded(2)), strict=True):
        torch.testing.assert_close(one.cpu(), other, equal_nan=True)
