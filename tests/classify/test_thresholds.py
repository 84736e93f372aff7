import numpy as np
import polars as pl
import pytest
from planted import World

from studyrun_classify.classifiers.thresholds import classify
from studyrun_classify.classifiers.top_counts import SCHEMA, top_counts
from studyrun_classify.params import ThresholdParams


@pytest.fixture
def world():
    world = World(1000)
    for name in ("uses +", "uses *"):
        world.concept(name, 0.5)
    world.concept("contains 12", 0.2, "value")
    world.concept("* then +", 0.2, "pattern")
    return world


def label(world, feature, **params):
    found = classify(world.evidence(), ThresholdParams(**params)).labels
    return found.row(by_predicate=pl.col("feature") == feature, named=True)


def where(world, *having, without=()):
    holds = np.ones(world.n_problems, dtype=bool)
    for name in having:
        holds &= world.columns[name]
    for name in without:
        holds &= ~world.columns[name]
    return np.flatnonzero(holds)


def test_one_operation_with_the_others_rare_is_the_label(world):
    only_times = where(world, "uses *", without=["uses +"])
    world.feature(only_times[:50])
    found = label(world, 0)
    assert (found["label"], found["kind"], found["verdict"]) == ("uses *", "operation", "untested")
    assert (found["n"], found["n_with"], found["rate"]) == (50, 50, 1.0)


def test_an_operation_and_a_value_are_a_combination(world):
    world.feature(where(world, "uses *", "contains 12", without=["uses +"])[:30])
    found = label(world, 0)
    assert (found["label"], found["kind"]) == ("uses * and contains 12", "combination")
    assert found["published_type"] == "highly-specialized"


def test_ties_are_kept_unless_asked_otherwise(world):
    world.feature(where(world, "uses *", "uses +", without=["contains 12"])[:40])
    assert label(world, 0)["label"] == "general"
    assert label(world, 0, ties="drop")["label"] == "uses +"


def test_only_the_top_problems_count(world):
    times = where(world, "uses *", without=["uses +", "contains 12"])[:20]
    others = where(world, "uses +", without=["uses *", "contains 12"])[:80]
    world.feature(np.concatenate([times, others]), np.r_[np.full(20, 9.0), np.full(80, 1.0)])
    assert label(world, 0, top=20)["label"] == "uses *"
    assert label(world, 0, top=100)["label"] == "uses +"


def test_a_feature_that_is_never_active_is_insufficient(world):
    world.feature(np.array([], dtype=int))
    assert label(world, 0)["label"] == "insufficient"


def test_patterns_are_not_looked_at_and_the_schema_is_as_stated(world):
    world.feature(where(world, "* then +"))
    found = classify(world.evidence(), ThresholdParams())
    assert set(found.associations["kind"]) == {"operation", "value"}
    assert found.labels.schema == SCHEMA


def test_top_counts_are_those_of_a_loop_and_know_who_has_none(world):
    world.noise(20)
    silent = world.feature(np.array([], dtype=int))
    found = top_counts(world.evidence(), 30, ["operation", "value"])
    assert found.height == 21 * 3
    for row in found.iter_rows(named=True):
        problems, strength = world.pairs[row["feature"]]
        top = [problem for _, problem in sorted(zip(-strength, problems, strict=True))[:30]]
        holds = world.columns[row["concept"]]
        assert (row["n_active"], row["n_active_with"]) == (len(top), holds[top].sum())
        assert (row["n_total"], row["n_with"]) == (1000, holds.sum())
        assert (row["rate"] is None) == (len(top) == 0)
    assert found.filter(pl.col("rate").is_null(), feature=silent).height == 3


def test_without_operations_and_values_an_active_feature_is_general():
    world = World(50)
    world.concept("* then +", 0.5, "pattern")
    world.feature(np.arange(30))
    found = label(world, 0)
    assert (found["label"], found["n"]) == ("general", 30)
