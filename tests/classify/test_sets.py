import numpy as np
import pytest
from planted import World

from studyrun_classify.classifiers.enrichment import classify
from studyrun_classify.params import EnrichmentParams
from studyrun_classify.statistics.incidence import halves, incidence_of
from studyrun_classify.statistics.sets import in_sets

N = 400


def chosen(world: World, **sets) -> list[set[int]]:
    """The problems that each feature keeps."""
    half = np.zeros(N, dtype=int)
    half[halves(N, 0)[1]] = 1
    incidence = incidence_of(world.evidence())
    kept = in_sets(incidence, half, EnrichmentParams(**sets)).strength
    by_feature = {f: set(kept[[row]].indices) for row, f in enumerate(incidence.features)}
    return [by_feature[feature] for feature in range(len(by_feature))]


def strongest(world: World, feature: int, half: np.ndarray, n: int) -> set[int]:
    """The n of largest |activation| in that half, earlier ones first where two are equal."""
    problems, strength = world.pairs[feature]
    inside = sorted((-abs(s), p) for p, s in zip(problems, strength, strict=True) if p in half)
    return {p for _, p in inside[:n]}


@pytest.fixture
def world() -> World:
    world = World(N)
    for share in (0.02, 0.3, 0.9):
        problems = np.flatnonzero(world.rng.random(N) < share)
        world.feature(problems, world.rng.integers(-4, 5, len(problems)) + 0.5)
    world.feature(np.array([], dtype=int))
    return world


def test_active_sets_are_all_active_problems(world):
    assert chosen(world) == [set(problems) for problems, _ in world.pairs]


@pytest.mark.parametrize("top", [1, 7, 40, 1_000])
def test_top_sets_are_the_strongest_of_either_half(world, top):
    for feature, kept in enumerate(chosen(world, sets="top", top=top)):
        first, second = (set(half) for half in halves(N, 0))
        one, other = (strongest(world, feature, h, n) for h, n in
                      ((first, (top + 1) // 2), (second, top // 2)))  # fmt: skip
        assert kept == one | other


@pytest.mark.parametrize("quantile", [0.1, 0.5, 1.0])
def test_quantiles_are_shares_of_the_active_problems_of_either_half(world, quantile):
    for feature, kept in enumerate(chosen(world, sets="quantile", quantile=quantile)):
        expected = set()
        for half in map(set, halves(N, 0)):
            n = sum(p in half for p in world.pairs[feature][0])
            expected |= strongest(world, feature, half, int(np.ceil(quantile * n)))
        assert kept == expected


def test_a_feature_that_follows_a_concept_only_when_strong_is_labelled_by_its_top_set():
    world = World(2000)
    holds = world.concept("uses *", 0.4)
    problems = np.flatnonzero(world.rng.random(2000) < 0.6)
    strength = world.rng.gamma(2.0, size=len(problems)) + 0.01
    strong = holds[problems] & (world.rng.random(len(problems)) < 0.25)
    feature = world.feature(problems, strength + 20 * strong)
    world.noise(20)
    found = {}
    for sets in ("active", "top", "quantile"):
        labels = classify(world.evidence(), EnrichmentParams(sets=sets)).labels
        found[sets] = labels.filter(feature=feature).row(0, named=True)
    assert found["active"]["label"] == "general"
    assert found["top"]["label"] == found["quantile"]["label"] == "uses *"
    assert found["top"]["n"] == 50  # of the half that confirmed


def test_nothing_is_labelled_for_its_strongest_problems_where_nothing_is_associated():
    for seed, sets in enumerate(["top", "top", "quantile", "quantile"]):
        world = World(600, seed)
        for index, share in enumerate(np.linspace(0.02, 0.9, 20)):
            world.concept(f"c{index}", float(share))
        world.noise(60)
        labels = classify(world.evidence(), EnrichmentParams(sets=sets, quantile=0.3)).labels
        assert set(labels["kind"]) <= {"general", "insufficient"}
