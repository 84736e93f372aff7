"""Probes against a known truth, their parts against plain oracles."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import World
from polars.testing import assert_frame_equal
from scipy.sparse import csr_array
from scipy.special import expit, ndtri
from scipy.stats import hypergeom
from sklearn.exceptions import ConvergenceWarning

from studyrun import StudyError
from studyrun_classify.classifiers import probe_path
from studyrun_classify.classifiers.probe import classify
from studyrun_classify.classifiers.probe_auroc import separation
from studyrun_classify.classifiers.probe_path import (
    chosen,
    fitted,
    folds,
    penalties,
    sample_of,
    sparse_probe,
)
from studyrun_classify.params import ProbeParams
from studyrun_classify.statistics.incidence import halves

PARAMS = ProbeParams()


def with_concepts(seed: int = 0, n_problems: int = 1000, n: int = 4) -> World:
    """A world whose concepts hold on 5 % to 80 % of the problems."""
    world = World(n_problems, seed)
    for index, share in enumerate(np.linspace(0.05, 0.8, n)):
        world.concept(f"c{index}", float(share), "value")
    return world


def labels_of(world: World, params: ProbeParams = PARAMS) -> dict[int, dict]:
    found = classify(world.evidence(), params).labels
    return {row["feature"]: row for row in found.iter_rows(named=True)}


# AUROC


def by_pairs(scores, holds, stratum):
    """AUROC, AUROC without ties and DeLong's interval, from pairs one by one."""
    above = below = tied = 0
    shares, means, variances = [], [], []
    strata = [
        (
            [s for s, h, t in zip(scores, holds, stratum, strict=True) if h and t == number],
            [s for s, h, t in zip(scores, holds, stratum, strict=True) if not h and t == number],
        )
        for number in sorted(set(stratum))
    ]
    strata = [(with_, without) for with_, without in strata if with_ and without]
    for with_, without in strata:
        above += sum(a > b for a in with_ for b in without)
        below += sum(a < b for a in with_ for b in without)
        tied += sum(a == b for a in with_ for b in without)
        shares.append(len(with_) * len(without))
        sides = (
            [sum((a > b) + (a == b) / 2 for b in without) / len(without) for a in with_],
            [sum((a > b) + (a == b) / 2 for a in with_) / len(with_) for b in without],
        )
        mean = variance = 0.0
        for placements in sides:
            weight = 1 / len(strata)
            n = len(placements) + weight
            middle = (sum(placements) + weight / 2) / n
            squares = sum((v - middle) ** 2 for v in placements) + weight * (0.5 - middle) ** 2
            mean += middle / 2
            variance += squares / (n - 1) / n
        means.append(mean)
        variances.append(variance)
    shares = [share / sum(shares) for share in shares]
    value = sum(w * m for w, m in zip(shares, means, strict=True))
    error = sum(w**2 * v for w, v in zip(shares, variances, strict=True)) ** 0.5
    half = ndtri(0.975) * error / (value * (1 - value)) if above + below else np.nan
    odds = np.log(value / (1 - value))
    auroc = (above + tied / 2) / (above + below + tied)
    untied = above / (above + below) if above + below else np.nan
    return auroc, untied, odds - half, odds + half


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(4, 30), st.integers(1, 3), st.sampled_from([2, 5, 1000]))
def test_auroc_and_its_interval_are_those_of_a_loop_over_pairs(seed, n, n_strata, values):
    rng = np.random.default_rng(seed)
    stratum, holds = rng.integers(0, n_strata, n), rng.random(n) < 0.4
    stratum[:2], holds[:2] = 0, [True, False]  # at least one pair
    scores = rng.integers(0, values, (3, n)).astype(float)
    found = separation(scores, holds, stratum)
    for row, expected in enumerate(by_pairs(each, holds, stratum) for each in scores.tolist()):
        measured = (found.auroc, found.untied, found.log_odds.low, found.log_odds.high)
        assert [each[row] for each in measured] == pytest.approx(expected, nan_ok=True)
        low, high = found.interval.low[row], found.interval.high[row]
        assert low <= found.auroc[row] <= high or np.isnan(expected[1])


@pytest.mark.parametrize("seed", range(4))
def test_p_is_the_share_of_all_deals_within_strata_that_separate_as_well(seed):
    rng = np.random.default_rng(seed)
    holds, stratum = np.tile([True] * 4 + [False] * 5, 2), np.repeat([0, 1], 9)
    scores = rng.normal(size=18) + 0.4 * holds

    def wins(scores, chosen):
        rest = np.delete(scores, list(chosen))
        return (scores[list(chosen), None] > rest).sum()

    first, second = scores[:9], scores[9:]
    every = [[wins(half, deal) for deal in combinations(range(9), 4)] for half in (first, second)]
    observed = wins(first, range(4)) + wins(second, range(4))
    exact = (np.add.outer(*every) >= observed).mean()
    assert separation(scores[None], holds, stratum).p[0] == pytest.approx(exact, rel=0.15)


@pytest.mark.parametrize(
    ("n_active", "n_with", "both"), [(10, 10, 3), (20, 20, 5), (75, 20, 9), (375, 40, 33)]
)
def test_rare_features_and_rare_concepts_do_not_look_certain(n_active, n_with, both):
    """The normal approximation is wrong by a factor of 1,000 in the first two."""
    n = 750
    scores, holds = np.zeros((1, n)), np.zeros(n, dtype=bool)
    scores[0, :n_active] = 1.0
    holds[:both] = True
    holds[n_active : n_active + n_with - both] = True
    found = separation(scores, holds, np.zeros(n, dtype=np.intp)).p[0]
    exact = hypergeom.sf(both - 1, n, n_with, n_active)
    assert exact / 2 <= found <= exact * 5


@pytest.mark.parametrize(
    ("auroc", "sizes"),
    [
        (0.5, [(60, 60)]),
        (0.9, [(20, 300)]),
        (0.97, [(20, 300)]),
        (0.8, [(5, 60), (10, 50), (3, 90)]),
    ],
)
def test_the_interval_covers_the_truth_about_as_often_as_it_says(auroc, sizes):
    rng = np.random.default_rng(0)
    holds = np.concatenate([[True] * n1 + [False] * n0 for n1, n0 in sizes])
    stratum = np.repeat(range(len(sizes)), [sum(size) for size in sizes])
    scores = rng.normal(size=(600, len(holds))) + holds * ndtri(auroc) * np.sqrt(2)
    odds = np.log(auroc / (1 - auroc))
    interval = separation(scores, holds, stratum).log_odds
    assert 0.92 <= ((interval.low <= odds) & (odds <= interval.high)).mean() <= 0.99


def test_without_a_pair_nothing_is_measured():
    found = separation(np.ones((2, 3)), np.array([True, False, True]), np.array([0, 1, 2]))
    assert found.p.tolist() == [1.0, 1.0]
    assert np.isnan([*found.auroc, *found.untied, *found.log_odds.low]).all()


def test_a_score_that_never_differs_says_nothing():
    found = separation(np.ones((1, 4)), np.array([True, False] * 2), np.zeros(4, dtype=np.intp))
    assert (found.auroc[0], found.p[0]) == (0.5, 1.0)
    assert np.isnan([found.untied[0], found.interval.low[0], found.interval.high[0]]).all()


# The path


def drawn_sample(seed=0, n=300, features=30):
    """Sparse features of which two matter, in strata of different base rates."""
    rng = np.random.default_rng(seed)
    stratum = rng.integers(0, 3, n)
    x = rng.gamma(2.0, size=(n, features)) * (rng.random((n, features)) < 0.3)
    x /= x.std(axis=0)
    y = rng.random(n) < expit(np.array([-1.5, -0.5, 1.0])[stratum] + 1.2 * x[:, 0] - 0.8 * x[:, 1])
    return x, y, stratum


def descended(x, y, stratum, penalty, steps=20_000):
    """The optimum by proximal gradient descent, strata unpenalised."""
    design = np.hstack([np.eye(3)[stratum], x])
    w, look, momentum = np.zeros(design.shape[1]), np.zeros(design.shape[1]), 1.0
    rate = 4 * len(y) / np.linalg.norm(design, 2) ** 2
    for _ in range(steps):
        moved = look - rate * design.T @ (expit(design @ look) - y) / len(y)
        features = moved[3:]
        moved[3:] = np.sign(features) * np.maximum(np.abs(features) - rate * penalty, 0)
        after = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        look, w = moved + (momentum - 1) / after * (moved - w), moved
        momentum = after
    return w


@pytest.mark.parametrize("share", [0.7, 0.3, 0.1])
def test_a_fit_is_the_optimum_that_plain_descent_finds(share):
    x, y, stratum = drawn_sample()
    sample = sample_of(csr_array(x), y, stratum)
    penalty = share * penalties(sample)[0]
    fit, expected = fitted(sample, penalty), descended(x, y, stratum, penalty)
    assert fit.converged
    assert fit.weights[3:] == pytest.approx(expected[3:], abs=0.01)
    assert np.flatnonzero(fit.weights[3:]).tolist() == np.flatnonzero(expected[3:]).tolist()
    assert fit.weights[:3] * 100 == pytest.approx(expected[:3], abs=0.05)


def test_the_path_begins_where_the_first_feature_gets_a_weight():
    x, y, stratum = drawn_sample()
    sample = sample_of(csr_array(x), y, stratum)
    path = penalties(sample)
    assert (np.diff(path) < 0).all()
    assert not fitted(sample, path[0] * 1.02).weights[3:].any()
    assert np.count_nonzero(fitted(sample, path[0] * 0.95).weights[3:]) == 1


def test_a_fit_does_not_depend_on_where_it_starts():
    x, y, stratum = drawn_sample()
    sample = sample_of(csr_array(x), y, stratum)
    path = penalties(sample)
    warm = fitted(sample, path[5], fitted(sample, path[9]))
    assert warm.weights == pytest.approx(fitted(sample, path[5]).weights, abs=1e-3)


def test_features_of_nothing_but_zeros_make_an_empty_probe():
    _, y, stratum = drawn_sample()
    sample = sample_of(csr_array((len(y), 4)), y, stratum)
    probe = sparse_probe(sample, folds(y, stratum, 3, 0))
    assert probe.weights.tolist() == [0.0] * 4


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(2, 6), st.integers(4, 80))
def test_folds_share_out_answers_and_strata(seed, count, n):
    rng = np.random.default_rng(seed)
    y, stratum = rng.random(n) < 0.3, rng.integers(0, 3, n)
    fold = folds(y, stratum, count, seed)
    for cell in [y, ~y, *[(stratum == s) & (y == v) for s in range(3) for v in (True, False)]]:
        sizes = np.bincount(fold[cell], minlength=count)
        assert sizes.max() - sizes.min() <= 1


def test_the_penalty_is_the_largest_within_one_standard_error_of_the_best():
    x, y, stratum = drawn_sample(features=12)
    sample, fold = sample_of(csr_array(x), y, stratum), folds(y, stratum, 3, 0)
    path = penalties(sample)
    losses = np.empty((len(path), len(y)))
    for number in range(3):
        out = fold == number
        design = np.hstack([np.eye(3)[stratum], x])[out]
        for loss, penalty in zip(losses, path, strict=True):
            odds = design @ descended(x[~out], y[~out], stratum[~out], penalty, steps=1000)
            loss[out] = -np.log(expit(np.where(y[out], odds, -odds)))
    above = losses - losses[losses.mean(axis=1).argmin()]
    good = above.mean(axis=1) <= above.std(axis=1, ddof=1) / np.sqrt(len(y))
    assert 0 < good.argmax() < len(path) - 1
    assert chosen(sample, path, fold) == path[good.argmax()]


# Labels


def test_a_planted_operation_is_found_with_its_numbers():
    world = with_concepts()
    holds = world.concept("uses *", 0.5)
    world.noise(15)
    feature = world.follower(holds, rate=0.9, n_active=200)
    evidence = world.evidence()
    found = classify(evidence, PARAMS)
    label = found.labels.row(by_predicate=pl.col("feature") == feature, named=True)
    told = {name: label[name] for name in ("label", "kind", "verdict", "concept")}
    assert told == {
        "label": "uses *", "kind": "operation", "verdict": "enriched", "concept": "uses *",
    }  # fmt: skip
    confirming = halves(1000, evidence.seed)[1]
    active = np.isin(confirming, world.pairs[feature][0])
    assert (label["n"], label["n_with"]) == (active.sum(), (active & holds[confirming]).sum())
    assert label["base_rate"] == pytest.approx(holds[confirming].mean())
    assert label["rate"] == pytest.approx(label["n_with"] / label["n"])
    assert label["lift"] == pytest.approx(label["rate"] / label["base_rate"])
    strength = np.zeros(1000)
    strength[world.pairs[feature][0]] = world.pairs[feature][1]
    auroc, untied, low, high = by_pairs(
        strength[confirming].astype(np.float32), holds[confirming], world.n_steps[confirming]
    )
    assert (label["auroc"], label["ci_low"], label["ci_high"]) == pytest.approx((auroc, low, high))
    row = found.associations.filter(feature=feature, concept="uses *").row(0, named=True)
    assert row["untied"] == pytest.approx(untied)
    assert label["q"] == row["q"] < 1e-6
    assert label["weight"] == row["weight"] > 0
    assert row["probe_low"] <= row["probe_auroc"] <= row["probe_high"]
    assert row["probe_auroc"] > auroc - 0.02


def test_an_always_on_feature_is_found_by_its_strength():
    world = with_concepts()
    holds = world.concept("uses *", 0.5)
    world.noise(10)
    feature = world.always_on(holds, auroc=0.75)
    assert labels_of(world)[feature]["label"] == "uses *"


def test_two_features_that_make_a_concept_together_are_both_found():
    for seed in range(3):
        world = with_concepts(seed)
        one, other = (world.rng.random(1000) < 0.25 for _ in range(2))
        world.concept("either", one | other)
        world.noise(10)
        features = [world.feature(np.flatnonzero(part)) for part in (one, other)]
        found = labels_of(world)
        assert [found[feature]["label"] for feature in features] == ["either", "either"]


def test_of_exact_copies_at_least_one_is_labelled_and_none_is_said_to_know_nothing():
    verdicts = set()
    for seed in range(4):
        world = with_concepts(seed)
        holds = world.concept("uses *", 0.5)
        world.noise(10)
        feature = world.follower(holds, 0.9, 200)
        copy = world.feature(*world.pairs[feature])
        found = labels_of(world)
        pair = {found[f]["verdict"] for f in (feature, copy)}
        assert "enriched" in pair
        verdicts |= pair
    assert verdicts <= {"enriched", "not-selected"}


def test_nothing_is_labelled_where_nothing_is_associated():
    labelled = []
    for seed in range(12):
        world = with_concepts(seed, n_problems=400, n=8)
        world.noise(40)
        labelled.append(any(f["verdict"] == "enriched" for f in labels_of(world).values()))
    assert sum(labelled) <= 1


def test_a_feature_of_long_problems_is_not_one_of_what_long_problems_contain():
    for seed in range(3):
        world = with_concepts(seed)
        world.concept_of_length("uses -", [0.1, 0.3, 0.6, 0.9])
        world.noise(10)
        long = world.feature(np.flatnonzero((world.n_steps >= 3) & (world.rng.random(1000) < 0.8)))
        assert labels_of(world)[long]["label"] == "general"
        assert labels_of(world, replace(PARAMS, strata=[]))[long]["label"] == "uses -"


def test_what_only_shows_among_problems_of_one_length_is_found():
    """Simpson: on short problems, where the concept is rare, the feature follows it."""
    world = with_concepts()
    holds = world.concept_of_length("uses /", [0.3, 0.4, 0.9, 0.95])
    world.noise(10)
    short = world.n_steps <= 2
    feature = world.feature(np.flatnonzero(short & (world.rng.random(1000) < 0.15 + 0.7 * holds)))
    assert labels_of(world)[feature]["label"] == "uses /"


def test_a_concept_of_the_length_itself_is_probed_without_strata():
    world = with_concepts()
    long = world.concept("3 or more steps", world.n_steps >= 3, "pattern")
    world.noise(10)
    feature = world.follower(long, 0.95, 300)
    assert labels_of(world)[feature]["label"] == "3 or more steps"


def test_the_pattern_is_the_label_where_the_order_counts_and_the_operation_where_it_does_not():
    world = with_concepts()
    times, plus = world.concept("uses *", 0.5), world.concept("uses +", 0.5)
    order = times & plus & (world.rng.random(1000) < 0.5)
    world.concept("* then +", order, "pattern", ("uses *", "uses +"))
    world.noise(10)
    features = [world.follower(holds, 0.9, 100) for holds in (order, times, times & plus)]
    labels = labels_of(world)
    found = [labels[feature]["label"] for feature in features]
    assert found[:2] == ["* then +", "uses *"]
    assert found[2] in ("uses *", "uses +")


def test_a_feature_that_shuns_a_concept_has_a_negative_weight_and_no_label():
    world = with_concepts()
    holds = world.concept("uses *", 0.5)
    world.noise(5)
    feature = world.follower(~holds, 0.9, 300)
    found = classify(world.evidence(), PARAMS)
    row = found.associations.filter(feature=feature, concept="uses *").row(0, named=True)
    assert row["weight"] < 0
    assert (row["q"], row["verdict"]) == (None, None)
    label = found.labels.filter(feature=feature).row(0, named=True)
    assert label["label"] == "general"


def test_a_certain_but_small_effect_is_weak_and_no_label():
    world = with_concepts(n_problems=8000, n=2)
    holds = world.concept("uses *", 0.5)
    feature = world.follower(holds, rate=0.57, n_active=4000)
    found = labels_of(world)[feature]
    assert (found["label"], found["verdict"], found["concept"]) == ("general", "weak", "uses *")
    assert labels_of(world, replace(PARAMS, min_auroc=0.51))[feature]["label"] == "uses *"


def test_what_the_other_half_does_not_show_is_no_label():
    world = with_concepts(n=2)
    holds = np.flatnonzero(world.concept("uses *", 0.5))
    world.feature(holds[np.isin(holds, halves(1000, 0)[0])][:150])
    found = labels_of(world)[0]
    assert (found["label"], found["verdict"]) == ("general", "not-confirmed")


@settings(max_examples=8)
@given(st.integers(0, 19), st.integers(0, 3))
def test_a_feature_below_the_support_is_never_labelled(n_active, seed):
    world = with_concepts(seed, n_problems=200, n=1)
    holds = world.concept("rare", 0.3)
    world.feature(np.flatnonzero(holds)[:n_active])
    found = labels_of(world)[0]
    assert (found["label"], found["kind"], found["verdict"]) == ("insufficient",) * 3
    assert (found["n"], found["n_needed"]) == (n_active, PARAMS.min_support)


def test_a_concept_with_too_few_problems_is_not_probed_and_that_is_said():
    world = with_concepts(n=2)
    rare = world.concept("rare", np.arange(1000) < 19)
    world.concept("never", np.zeros(1000, dtype=bool))
    world.noise(5)
    feature = world.feature(np.concatenate([np.flatnonzero(rare), [500, 600]]))
    found = classify(world.evidence(), PARAMS)
    rows = found.associations.filter(verdict="insufficient")
    assert rows.select("concept", "feature", "n_with", "n_selected").rows() == [
        ("rare", None, 19, 0), ("never", None, 0, 0),
    ]  # fmt: skip
    label = found.labels.filter(feature=feature).row(0, named=True)
    assert (label["kind"], label["n_needed"]) == ("insufficient", None)  # half were not probed


def test_every_concept_has_a_row_and_every_feature_a_label():
    world = with_concepts()
    world.noise(10)
    world.feature(np.array([], dtype=int))
    found = classify(world.evidence(), PARAMS)
    assert set(found.associations["concept"]) == {f"c{i}" for i in range(4)}
    assert sorted(found.labels["feature"]) == list(range(11))


@pytest.mark.parametrize("n_concepts", [0, 2])
def test_evidence_without_a_single_active_pair_or_concept_is_no_error(n_concepts):
    world = with_concepts(n_problems=100, n=n_concepts)
    world.feature(np.array([], dtype=int))
    if not n_concepts:
        world.noise(3)
    found = classify(world.evidence(), PARAMS)
    assert set(found.labels["verdict"]) <= {"insufficient"}


def test_the_same_evidence_gives_the_same_answer_and_another_seed_other_halves():
    world = with_concepts()
    holds = world.concept("uses *", 0.5)
    world.noise(10)
    world.follower(holds, 0.9, 200)
    evidence = world.evidence()
    one, again = classify(evidence, PARAMS), classify(evidence, PARAMS)
    assert_frame_equal(one.labels, again.labels, check_exact=True)
    assert_frame_equal(one.associations, again.associations, check_exact=True)
    other = classify(replace(evidence, seed=7), PARAMS)
    assert not one.associations["auroc"].equals(other.associations["auroc"])


def test_a_solver_that_gives_up_warns_and_it_is_in_the_table(monkeypatch):
    monkeypatch.setattr(probe_path, "MAX_ITER", 1)
    world = with_concepts(n=1)
    world.follower(world.columns["c0"], 0.9, 40)
    with pytest.warns(ConvergenceWarning):
        found = classify(world.evidence(), PARAMS)
    assert found.associations["converged"].to_list() == [False]


def test_strata_that_the_problems_do_not_have_are_named():
    world = with_concepts(n_problems=100, n=2)
    world.noise(2)
    with pytest.raises(StudyError, match="strata: the problems have no column 'mood'"):
        labels_of(world, replace(PARAMS, strata=["mood"]))
