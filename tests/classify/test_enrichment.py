"""Labels against a known truth: what was planted is found, and nothing else is."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import World
from polars.testing import assert_frame_equal

from studyrun import StudyError
from studyrun_classify.enrichment import classify
from studyrun_classify.incidence import counts, halves, incidence_of
from studyrun_classify.params import EnrichmentParams

PARAMS = EnrichmentParams()


def with_concepts(seed: int = 0, n_problems: int = 2000, n: int = 20) -> World:
    """A world whose concepts hold on 2 % to 90 % of the problems."""
    world = World(n_problems, seed)
    for index, share in enumerate(np.linspace(0.02, 0.9, n)):
        world.concept(f"c{index}", float(share), "value")
    return world


def with_pattern(seed: int = 0) -> tuple[World, dict[str, np.ndarray]]:
    """Two operations and the pattern of their order, among other concepts."""
    world = with_concepts(seed)
    times, plus = world.concept("uses *", 0.5), world.concept("uses +", 0.5)
    both = times & plus
    pattern = both & (world.rng.random(world.n_problems) < 0.5)
    world.concept("* then +", pattern, "pattern", ("uses *", "uses +"))
    return world, {"uses *": times, "uses +": plus, "both": both, "* then +": pattern}


def labels_of(world: World, params: EnrichmentParams = PARAMS) -> dict[int, dict]:
    found = classify(world.evidence(), params).labels
    return {row["feature"]: row for row in found.iter_rows(named=True)}


def test_a_planted_operation_is_found_with_its_numbers():
    world = with_concepts()
    holds = world.concept("uses *", 0.5)
    world.noise(30)
    feature = world.follower(holds, rate=0.9, n_active=400)
    found = labels_of(world)[feature]
    assert (found["label"], found["kind"], found["verdict"]) == ("uses *", "operation", "enriched")
    assert found["evidence"] == "confirmation half"
    confirming = halves(2000, 0)[1]
    active = np.isin(confirming, world.pairs[feature][0])
    assert found["n"] == active.sum()
    assert found["n_with"] == (active & holds[confirming]).sum()
    assert found["rate"] == pytest.approx(found["n_with"] / found["n"])
    assert found["base_rate"] == pytest.approx(holds[confirming].mean())
    lengths, having = world.n_steps[confirming], holds[confirming]
    rates = {n: having[lengths == n].mean() for n in range(1, 5)}
    assert found["expected_rate"] == pytest.approx(np.mean([rates[n] for n in lengths[active]]))
    assert found["lift"] == pytest.approx(found["rate"] / found["expected_rate"])
    assert found["ci_low"] < found["log_odds"] < found["ci_high"]
    assert found["q"] < 1e-6


def test_the_pattern_is_the_label_where_the_order_counts_and_the_operation_where_it_does_not():
    wrong = []
    for seed in range(8):
        world, holds = with_pattern(seed)
        world.noise(30)
        planted = {world.follower(holds[name], 0.9, 200): name for name in ("* then +", "uses *")}
        found = labels_of(world)
        wrong += [found[f]["label"] for f, name in planted.items() if found[f]["label"] != name]
    assert wrong == []


def test_a_feature_of_both_operations_is_not_said_to_be_of_their_order():
    for seed in range(5):
        world, holds = with_pattern(seed)
        world.noise(30)
        feature = world.follower(holds["both"], 0.9, 200)
        assert labels_of(world)[feature]["label"] in ("uses *", "uses +")


def test_an_always_on_feature_is_labelled_by_its_strength():
    world = with_concepts()
    holds = world.concept("uses *", 0.5)
    world.noise(30)
    feature = world.always_on(holds, auroc=0.75)
    found = labels_of(world)[feature]
    assert (found["label"], found["test"]) == ("uses *", "magnitude")
    assert found["auroc"] == pytest.approx(0.75, abs=0.05)
    assert found["rate"] is None
    assert found["lift"] is None


def test_the_order_of_strength_counts_for_always_on_patterns_too():
    world, holds = with_pattern()
    world.noise(30)
    order, one = world.always_on(holds["* then +"], 0.85), world.always_on(holds["uses *"], 0.85)
    found = labels_of(world)
    assert found[order]["label"] == "* then +"
    assert found[one]["label"] == "uses *"


def test_nothing_is_labelled_where_nothing_is_associated():
    labelled = []
    for seed in range(15):
        world = with_concepts(seed, n_problems=600)
        world.noise(80)
        kinds = {found["kind"] for found in labels_of(world).values()}
        labelled += kinds - {"general", "insufficient"}
    assert labelled == []


def test_among_planted_features_false_labels_are_rarer_than_alpha():
    labelled = false = 0
    for seed in range(10):
        world = with_concepts(seed)
        world.noise(100)
        holds = world.columns["c10"]
        planted = {world.follower(holds, 0.8, 200) for _ in range(15)}
        for feature, found in labels_of(world).items():
            if found["verdict"] == "enriched":
                labelled += 1
                false += feature not in planted or found["label"] != "c10"
    assert labelled >= 145
    assert false / labelled <= 0.02


@settings(max_examples=20)
@given(st.integers(1, 19), st.integers(0, 3))
def test_a_feature_below_the_support_is_never_labelled(n_active, seed):
    world = with_concepts(seed, n_problems=300, n=3)
    holds = world.concept("rare", 0.1)
    feature = world.feature(np.flatnonzero(holds)[:n_active])
    found = labels_of(world)[feature]
    assert (found["label"], found["kind"], found["verdict"]) == ("insufficient",) * 3
    assert found["n_needed"] >= PARAMS.min_support
    assert (found["concept"], found["n"], found["n_with"]) == ("rare", n_active, n_active)


def test_a_feature_that_is_never_active_is_insufficient():
    world = with_concepts(n_problems=300)
    world.feature(np.array([], dtype=int))
    found = labels_of(world)[0]
    assert (found["label"], found["n"], found["concept"]) == ("insufficient", 0, None)
    assert found["n_needed"] == PARAMS.min_support


def test_a_certain_but_small_effect_is_weak_and_no_label():
    world = with_concepts(n_problems=20_000, n=3)
    holds = world.concept("uses *", 0.5)
    feature = world.follower(holds, rate=0.58, n_active=6000)
    found = labels_of(world)[feature]
    assert (found["label"], found["verdict"], found["concept"]) == ("general", "weak", "uses *")
    stricter = labels_of(world, replace(PARAMS, min_odds_ratio=1.1))[feature]
    assert stricter["label"] == "uses *"


def test_what_one_half_does_not_confirm_is_no_label():
    world = with_concepts(n=3)
    holds = world.concept("uses *", 0.5)
    first, _ = halves(2000, 0)
    world.feature(np.flatnonzero(holds)[np.isin(np.flatnonzero(holds), first)][:150])
    found = labels_of(world)[0]
    assert found["verdict"] == "not-confirmed"
    assert found["kind"] in ("general", "insufficient")


def test_the_same_evidence_gives_the_same_answer_and_another_seed_other_halves():
    world, holds = with_pattern()
    world.noise(10)
    world.follower(holds["uses *"], 0.9, 200)
    evidence = world.evidence()
    one, again = classify(evidence, PARAMS), classify(evidence, PARAMS)
    assert_frame_equal(one.labels, again.labels)
    assert_frame_equal(one.associations, again.associations)
    other = classify(replace(evidence, seed=7), PARAMS)
    assert not one.associations["q_discovery"].equals(other.associations["q_discovery"])


@given(st.integers(0, 50), st.integers(0, 5))
def test_halves_are_a_partition_into_two_of_one_size(n, seed):
    first, second = halves(n, seed)
    assert sorted([*first, *second]) == list(range(n))
    assert len(first) - len(second) in (0, 1)


def test_counts_are_those_of_a_loop_over_problems():
    world, _ = with_pattern()
    world.noise(7)
    frame = counts(incidence_of(world.evidence()))
    for row in frame.sample(40, seed=0).iter_rows(named=True):
        problems = set(world.pairs[row["feature"]][0])
        having = set(np.flatnonzero(world.columns[row["concept"]]))
        assert (row["n_total"], row["n_with"]) == (2000, len(having))
        assert (row["n_active"], row["n_active_with"]) == (len(problems), len(problems & having))


def test_a_feature_of_long_problems_is_not_one_of_what_long_problems_contain():
    for seed in range(5):
        world = with_concepts(seed)
        world.concept_of_length("uses -", [0.1, 0.3, 0.6, 0.9])
        world.noise(20)
        long = world.feature(np.flatnonzero((world.n_steps >= 3) & (world.rng.random(2000) < 0.8)))
        found = labels_of(world)[long]
        assert (found["label"], found["verdict"]) == ("general", "explained")
        assert found["concept"] == "uses -"
        assert found["rate"] == pytest.approx(found["expected_rate"], abs=0.05)
        assert found["rate"] > found["base_rate"] + 0.15
        careless = labels_of(world, replace(PARAMS, strata=[]))[long]
        assert careless["label"] == "uses -"


def test_what_only_shows_among_problems_of_one_length_is_found():
    """Simpson: on short problems, where the concept is rare, the feature follows it."""
    world = with_concepts()
    holds = world.concept_of_length("uses /", [0.3, 0.4, 0.9, 0.95])
    world.noise(20)
    short = world.n_steps <= 2
    feature = world.feature(np.flatnonzero(short & (world.rng.random(2000) < 0.15 + 0.7 * holds)))
    found = labels_of(world)[feature]
    assert found["label"] == "uses /"
    assert found["expected_rate"] < found["rate"]


def test_a_concept_of_the_length_itself_is_tested_without_strata():
    world = with_concepts()
    long = world.concept("3 or more steps", world.n_steps >= 3, "pattern")
    world.noise(20)
    feature = world.follower(long, 0.95, 300)
    assert labels_of(world)[feature]["label"] == "3 or more steps"


def test_a_feature_on_for_every_long_problem_is_labelled_by_its_strength_there():
    world = with_concepts()
    holds = world.concept("uses *", 0.5)
    world.noise(20)
    long = np.flatnonzero(world.n_steps >= 3)
    strength = 5 + world.rng.normal(size=len(long)) + 1.2 * holds[long]
    feature = world.feature(long, strength)
    found = labels_of(world)[feature]
    assert (found["label"], found["test"]) == ("uses *", "magnitude")
    assert found["auroc"] > 0.7


def test_strata_that_the_problems_do_not_have_are_named():
    world = with_concepts(n_problems=100, n=2)
    world.noise(2)
    with pytest.raises(StudyError, match="strata: the problems have no column 'mood'; they have"):
        labels_of(world, replace(PARAMS, strata=["mood"]))


def test_every_active_feature_meets_every_concept_in_the_associations():
    world = with_concepts(n_problems=300, n=4)
    world.noise(5)
    world.feature(np.array([], dtype=int))
    found = classify(world.evidence(), PARAMS)
    active = world.evidence().features.filter(pl.col("n_active") > 0).height
    assert found.associations.height == active * 4
    assert found.labels.height == 6


def test_evidence_without_a_single_active_pair_or_concept_is_no_error():
    world = World(50)
    world.feature(np.array([], dtype=int))
    assert labels_of(world)[0]["label"] == "insufficient"
    world.feature(np.arange(30))
    assert labels_of(world)[1]["label"] == "insufficient"
