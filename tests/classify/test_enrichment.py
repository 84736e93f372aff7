"""Labels against a known truth: what was planted is found, and nothing else is."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import World
from polars.testing import assert_frame_equal
from worlds import PLANTED, mixture, null, with_concepts, with_wholes

from studyrun import StudyError
from studyrun_classify.classifiers.enrichment import ASSOCIATIONS, classify
from studyrun_classify.params import EnrichmentParams
from studyrun_classify.statistics.incidence import halves

PARAMS = EnrichmentParams()
SECOND, FIRST = "second half, found on the first", "first half, found on the second"


def labels_of(world: World, params: EnrichmentParams = PARAMS) -> dict[int, dict]:
    found = classify(world.evidence(), params).labels
    return {row["feature"]: row for row in found.iter_rows(named=True)}


@pytest.mark.parametrize("which", [0, 1], ids=["second", "first"])
def test_a_planted_operation_is_found_with_the_numbers_of_the_half_that_confirmed(which):
    """Which half confirms is known: on the other the feature alone could not be found."""
    for seed in range(20):
        world = with_concepts(seed)
        holds = world.concept("uses *", 0.5)
        feature = world.follower(holds, rate=0.9, n_active=400 if which == 0 else 70)
        found = labels_of(world)[feature]
        if found["evidence"] == (SECOND, FIRST)[which]:
            break
    assert (found["label"], found["kind"], found["verdict"]) == ("uses *", "operation", "enriched")
    confirming = halves(2000, seed)[1 - which]
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
    assert found["q"] <= PARAMS.alpha / 2


@pytest.mark.parametrize("kind", PLANTED)
def test_what_was_planted_is_the_label(kind):
    """`bench/labels.py` measures how often, among 480 features and 60 concepts."""
    for seed in range(2):
        planted = PLANTED[kind](seed)
        found = labels_of(planted.world)
        said = {feature: found[feature]["label"] for feature in planted.follows}
        assert said == planted.follows
        assert {f for f, row in found.items() if row["verdict"] == "enriched"} == set(said)


def test_a_feature_of_both_operations_is_not_said_to_be_of_their_order():
    for seed in range(3):
        world = with_wholes(seed)
        world.noise(20)
        both = world.columns["uses *"] & world.columns["uses +"]
        feature = world.follower(both, 0.9, 200)
        assert labels_of(world)[feature]["label"] in ("uses *", "uses +")


def test_a_part_gives_way_to_a_whole_that_is_enriched_though_not_confirmed():
    """On one half it follows the pattern, on the other no more than both operations."""
    world = with_wholes()
    world.noise(20)
    first, second = halves(2000, 0)
    both = np.flatnonzero(world.columns["uses *"] & world.columns["uses +"])
    pattern = np.flatnonzero(world.columns["* then +"])
    one, other = pattern[np.isin(pattern, first)][:70], both[np.isin(both, second)][:70]
    feature = world.feature(np.sort(np.concatenate([one, other])))
    found = classify(world.evidence(), PARAMS)
    rows = found.associations.filter(feature=feature).rows_by_key(
        "concept", named=True, unique=True
    )
    assert [rows[name]["confirmed"] for name in ("uses *", "uses +", "* then +")] == [1, 1, 0]
    assert rows["* then +"]["q_claim"] <= PARAMS.alpha
    label = found.labels.filter(feature=feature).row(0, named=True)
    assert label["kind"] in ("general", "insufficient")
    assert (label["verdict"], label["concept"]) == ("not-confirmed", "* then +")


def test_of_unrelated_concepts_the_smallest_p_is_the_label_however_small():
    """No number is as small as either p here."""
    world = World(8_000)
    near, right = world.rng.random((2, 8_000)) < 0.5
    near = np.where(world.rng.random(8_000) < 0.9, right, near)
    world.concept("near", near)
    world.concept("right", right)
    feature = world.feature(np.flatnonzero(right)[::2])
    found = classify(world.evidence(), PARAMS)
    assert found.associations["p_alike"].to_list() == [0, 0]
    assert found.labels.filter(feature=feature)["label"].to_list() == ["right"]


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
    world = with_wholes()
    world.noise(30)
    order = world.always_on(world.columns["* then +"], 0.85)
    one = world.always_on(world.columns["uses *"], 0.85)
    found = labels_of(world)
    assert found[order]["label"] == "* then +"
    assert found[one]["label"] == "uses *"


def test_nothing_is_labelled_where_nothing_is_associated():
    labelled = []
    for seed in range(10):
        planted = null(seed, n_concepts=20, noise=80)
        kinds = {found["kind"] for found in labels_of(planted.world).values()}
        labelled += kinds - {"general", "insufficient"}
    assert labelled == []


def test_among_planted_features_false_labels_are_rarer_than_alpha():
    labelled = false = 0
    for seed in range(6):
        planted = mixture(seed, n_concepts=10, noise=60)
        true = {c.name: {c.name, *c.parts} for c in planted.world.concepts}
        for feature, found in labels_of(planted.world).items():
            if found["verdict"] == "enriched":
                labelled += 1
                false += found["label"] not in true.get(planted.follows.get(feature), ())
    assert labelled >= 80
    assert false / labelled <= 0.02


def test_whatever_is_insufficient_says_how_many_problems_it_would_take():
    world = mixture(0, n_concepts=10, noise=40).world
    world.feature(np.array([], dtype=int))
    found = labels_of(world).values()
    short = [row for row in found if row["kind"] == "insufficient"]
    assert {row["verdict"] for row in short} == {"insufficient", "not-confirmed"}
    assert all(row["n_needed"] > row["n"] for row in short)
    general = [row["verdict"] for row in found if row["kind"] == "general"]
    assert "not-enriched" in general


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


def test_one_half_may_find_what_the_other_could_only_confirm():
    """Ten problems are enough to confirm, and not enough to find."""
    for which in (0, 1):
        world = with_concepts(n=40)
        holds = world.concept("uses *", 0.5)
        world.noise(60)
        with_it = [
            np.flatnonzero(holds)[np.isin(np.flatnonzero(holds), h)] for h in halves(2000, 0)
        ]
        many, few = with_it if which == 0 else with_it[::-1]
        feature = world.feature(np.sort(np.concatenate([many[:70], few[:10]])))
        found = labels_of(world)[feature]
        assert found["label"] == "uses *"
        assert found["evidence"] == (SECOND, FIRST)[which]
        assert (found["n"], found["n_with"]) == (10, 10)


def test_the_same_evidence_gives_the_same_answer_and_another_seed_other_halves():
    world = with_wholes()
    world.noise(10)
    world.follower(world.columns["uses *"], 0.9, 200)
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
    assert found.associations.schema == ASSOCIATIONS
    assert found.labels.height == 6


def test_evidence_without_a_single_active_pair_or_concept_is_no_error():
    world = World(50)
    world.feature(np.array([], dtype=int))
    nothing = classify(world.evidence(), PARAMS)
    assert nothing.labels["label"].to_list() == ["insufficient"]
    assert nothing.associations.schema == ASSOCIATIONS
    world.feature(np.arange(30))
    assert labels_of(world)[1]["label"] == "insufficient"
    assert labels_of(world)[1]["n"] == 30
