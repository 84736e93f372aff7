"""Controls keep what they must keep, and take away the rest."""

from collections import Counter
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from planted import World  # found through the line above
from polars.testing import assert_frame_equal
from scipy.stats import chisquare

from strategies import evidences
from studyrun_classify.classifiers.enrichment import classify as enrichment
from studyrun_classify.classifiers.thresholds import classify as thresholds
from studyrun_classify.controls.exchange import control_runs, matched, permuted
from studyrun_classify.features import ranked
from studyrun_classify.kinds import is_labelled
from studyrun_classify.params import EnrichmentParams, ThresholdParams
from studyrun_classify.statistics.incidence import incidence_of


def strata(evidence):
    return incidence_of(evidence, ["n_steps"]).stratum


def exchanged(evidence, seed=0):
    return permuted(evidence, strata(evidence), np.random.default_rng(seed))


def moved(evidence, seed=0):
    return matched(evidence, np.random.default_rng(seed))


def decided(evidence):
    """The concepts that hold, at every number of steps, in all problems or in none."""
    steps = dict(evidence.problems.select("problem", "n_steps").iter_rows())
    held = set(evidence.membership.iter_rows())
    every = {concept for _, concept in held}
    return {
        concept
        for concept in every
        if all(len({(p, concept) in held for p in steps if steps[p] == n}) == 1
               for n in set(steps.values()))
    }  # fmt: skip


def problems_by_concepts(evidence, concepts, *, by_steps):
    """(number of steps, those of the concepts that hold) -> how many problems."""
    held = {}
    for problem, concept in evidence.membership.iter_rows():
        if concept in concepts:
            held.setdefault(problem, set()).add(concept)
    return Counter(
        (steps if by_steps else None, frozenset(held.get(problem, ())))
        for problem, steps in evidence.problems.select("problem", "n_steps").iter_rows()
    )


@settings(max_examples=40)
@given(evidences())
def test_a_permutation_keeps_in_every_stratum_which_concepts_hold_together_how_often(evidence):
    free = set(evidence.membership["concept"]) - decided(evidence)
    before, after = (
        problems_by_concepts(each, free, by_steps=True) for each in (evidence, exchanged(evidence))
    )
    assert after == before


@settings(max_examples=40)
@given(evidences())
def test_concepts_that_the_strata_decide_are_exchanged_together_between_all_problems(evidence):
    free = decided(evidence)
    before, after = (
        problems_by_concepts(each, free, by_steps=False) for each in (evidence, exchanged(evidence))
    )
    assert after == before


def test_a_permutation_leaves_nothing_of_a_feature_of_the_length_itself():
    world = World(400)
    long = world.concept("3 or more steps", world.n_steps >= 3)
    world.feature(np.flatnonzero(long))
    after = exchanged(world.evidence())
    assert 0.3 < np.isin(after.membership["problem"], np.flatnonzero(long)).mean() < 0.7


@settings(max_examples=40)
@given(evidences())
def test_a_permutation_keeps_everything_about_features_and_problems(evidence):
    after = exchanged(evidence)
    assert after.membership.schema == evidence.membership.schema
    for part in ("problems", "activations", "features", "concepts", "seed"):
        assert getattr(after, part) is getattr(evidence, part)


@settings(max_examples=40)
@given(evidences())
def test_a_matched_feature_has_the_same_values(evidence):
    before, after = (
        each.activations.select("feature", "activation").sort(pl.all())
        for each in (evidence, moved(evidence))
    )
    assert_frame_equal(after, before)


@settings(max_examples=40)
@given(evidences())
def test_a_matched_feature_is_active_once_on_a_problem_and_as_often_as_before(evidence):
    after = moved(evidence)
    assert not after.activations.select("problem", "feature").is_duplicated().any()
    again = ranked(after.activations, evidence.features.height, evidence.problems.height)
    assert_frame_equal(again, evidence.features)
    assert after.activations.schema == evidence.activations.schema
    for part in ("problems", "membership", "features", "concepts", "seed"):
        assert getattr(after, part) is getattr(evidence, part)


@settings(max_examples=40)
@given(evidences())
def test_the_same_seed_gives_the_same_controls(evidence):
    one, again = (list(control_runs(evidence, strata(evidence), 2, 2)) for _ in range(2))
    assert [name for name, _ in one] == ["permuted"] * 2 + ["matched"] * 2
    for (_, first), (_, second) in zip(one, again, strict=True):
        assert first.membership.equals(second.membership)
        assert first.activations.equals(second.activations)


def noise(n_problems=400):
    world = World(n_problems)
    for i in range(3):
        world.concept(f"c{i}", 0.4)
    for _ in range(2):
        world.feature(np.arange(0, n_problems, 3))
    return world.evidence()


def test_every_run_and_every_seed_is_another_one():
    evidence = noise()
    others = [evidence, replace(evidence, seed=1)]
    runs = [each for other in others for each in control_runs(other, strata(other), 2, 2)]
    memberships = [each.membership for name, each in runs if name == "permuted"]
    activations = [each.activations for name, each in runs if name == "matched"]
    for tables in (memberships, activations):
        assert len(tables) == 4
        assert not any(a.equals(b) for i, a in enumerate(tables) for b in tables[:i])


def one_problem_each(n):
    """n problems of one stratum; problem i alone has concept i, feature 0 is active on two."""
    world = World(n)
    world.n_steps[:] = 1
    for i in range(n):
        world.concept(f"c{i}", np.arange(n) == i)
    world.feature([0, 1], np.array([1.0, 2.0]))
    return world.evidence()


def test_every_permutation_and_every_place_is_equally_likely():
    evidence, rng = one_problem_each(3), np.random.default_rng(0)
    stratum = strata(evidence)
    orders = Counter(
        tuple(permuted(evidence, stratum, rng).membership.sort("concept")["problem"])
        for _ in range(400)
    )
    places = Counter(
        tuple(matched(evidence, rng).activations.sort("activation")["problem"]) for _ in range(400)
    )
    assert (len(orders), len(places)) == (6, 6)
    assert chisquare(list(orders.values())).pvalue > 1e-3
    assert chisquare(list(places.values())).pvalue > 1e-3


def test_features_that_were_always_active_together_are_not_any_more():
    evidence = noise()
    after = moved(evidence)
    first, second = (
        set(after.activations.filter(feature=feature)["problem"]) for feature in (0, 1)
    )
    assert len(first & second) < 0.6 * len(first)


# What classifiers make of them


def labelled(classifier, params, evidence):
    found = classifier(evidence, params).labels.sort("feature")
    return found.select(is_labelled()).to_series().to_numpy()


def rates(classifier, params, evidence, runs=4):
    """The share labelled in the data, and per feature in each control."""
    found = {"permuted": [], "matched": []}
    for name, control in control_runs(evidence, strata(evidence), runs, runs):
        found[name].append(labelled(classifier, params, control))
    real = labelled(classifier, params, evidence)
    return real, {name: np.mean(each, axis=0) for name, each in found.items()}


def planted():
    world = World(1000)
    plus, times = world.concept("uses +", 0.5), world.concept("uses *", 0.45)
    for holds in (plus, plus, times):
        world.follower(holds, 0.95, 150)
    world.noise(20)
    return world.evidence()


def test_planted_features_are_labelled_in_the_data_and_never_in_a_control():
    real, controls = rates(enrichment, EnrichmentParams(), planted())
    assert real[:3].all()
    for name, rate in controls.items():
        assert rate[:3].max() == 0, name
        assert rate.mean() <= 0.02, name


def common(n_features=120):
    """Nothing follows anything, but `uses +` holds in seven problems of ten."""
    world = World(600)
    world.concept("uses +", 0.7)
    world.concept("uses *", 0.2)
    world.noise(n_features, low=0.05, high=0.5)
    return world.evidence()


@pytest.mark.parametrize(
    ("classifier", "params"),
    [(thresholds, ThresholdParams()), (enrichment, EnrichmentParams())],
    ids=["thresholds", "enrichment"],
)
def test_on_null_data_controls_are_labelled_as_often_as_the_data(classifier, params):
    real, controls = rates(classifier, params, common())
    for name, rate in controls.items():
        error = np.sqrt(max(real.mean() * (1 - real.mean()), 0.01) / len(real))
        assert abs(rate.mean() - real.mean()) < 4 * error, name


def test_a_rule_without_base_rates_labels_its_controls_too():
    """Trap C3: half of what knows nothing is called an addition specialist."""
    real, controls = rates(thresholds, ThresholdParams(), common())
    assert real.mean() > 0.3
    assert all(rate.mean() > 0.3 for rate in controls.values())
