import numpy as np
import polars as pl
import pytest
from planted import World
from polars.testing import assert_frame_equal

from studyrun import StudyError
from studyrun_classify import associate, associations
from studyrun_classify.classifiers.enrichment import classify
from studyrun_classify.params import EnrichmentParams
from studyrun_classify.statistics.blocks import Blocks
from studyrun_classify.statistics.incidence import counts, incidence_of


def world_of_all_kinds() -> World:
    world = World(800)
    times, plus = world.concept("uses *", 0.5), world.concept("uses +", 0.5)
    some = world.rng.random(800) < 0.5
    world.concept("* then +", times & plus & some, "pattern", ("uses *", "uses +"))
    world.concept("long", world.n_steps >= 3, "steps")
    world.noise(30)
    world.follower(times, 0.9, 120)
    world.always_on(plus, 0.8)
    return world


@pytest.mark.parametrize("rows", [1, 9, 1_000])
def test_in_pieces_as_at_once(rows):
    """Law: the pieces, one after the other, are `associate` of all counts."""
    evidence = world_of_all_kinds().evidence()
    pieces = list(associations(evidence, alpha=0.05, rows=rows))
    assert max(piece.height for piece in pieces) <= max(rows, 4)
    assert_frame_equal(
        pl.concat(pieces), associate(counts(incidence_of(evidence)), alpha=0.05), rel_tol=1e-12
    )


@pytest.mark.parametrize("at_once", [1, 200, 2_000])
def test_a_classification_does_not_depend_on_the_blocks(monkeypatch, at_once):
    """Law: however few features are counted at a time."""
    evidence = world_of_all_kinds().evidence()
    whole = classify(evidence, EnrichmentParams())
    monkeypatch.setattr("studyrun_classify.statistics.blocks.AT_ONCE", at_once)
    assert len(Blocks(evidence, EnrichmentParams()).every) > 2
    again = classify(evidence, EnrichmentParams())
    assert_frame_equal(again.labels.sort("feature"), whole.labels.sort("feature"), rel_tol=1e-9)
    assert_frame_equal(again.associations, whole.associations, rel_tol=1e-9)


def test_associations_above_max_p_are_tested_and_left_out():
    evidence = world_of_all_kinds().evidence()
    whole, short = (classify(evidence, EnrichmentParams(max_p=p)) for p in (1.0, 0.01))
    assert_frame_equal(short.labels, whole.labels)
    assert_frame_equal(short.associations, whole.associations.filter(pl.col("p") <= 0.01))


def test_counts_are_those_of_a_loop_over_problems():
    world = world_of_all_kinds()
    for row in counts(incidence_of(world.evidence())).sample(40, seed=0).iter_rows(named=True):
        problems = set(world.pairs[row["feature"]][0])
        having = set(np.flatnonzero(world.columns[row["concept"]]))
        assert (row["n_total"], row["n_with"]) == (800, len(having))
        assert (row["n_active"], row["n_active_with"]) == (len(problems), len(problems & having))


def test_a_pair_of_something_unknown_is_named():
    evidence = world_of_all_kinds().evidence()
    stray = pl.DataFrame(
        {"problem": [3], "feature": [99], "activation": [1.0]}, evidence.activations.schema
    )
    object.__setattr__(evidence, "activations", pl.concat([evidence.activations, stray]))
    with pytest.raises(StudyError, match="there is no feature 99, which the evidence speaks of"):
        incidence_of(evidence)
