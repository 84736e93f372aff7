"""The step `coactivation`: what was planted is found, what length explains is not, and noise is
noise."""

import numpy as np
import polars as pl
import pytest
from feature_worlds import Modelless, acts_from, given, planted, problems_of

from studyrun_features.coactivation import run
from studyrun_features.columns import coactivation
from studyrun_features.params import Coactivation

EMPTY = ["table", "modules", "map", "controls"]


def found_in(active, n_steps=None, encoded="validation", seed=0, **params):
    """What the step says; without problems where no steps are given."""
    inputs = {"feature_acts": acts_from(active, encoded)}
    if n_steps is not None:
        inputs["problems"] = problems_of(n_steps)
    context = Modelless(seed=seed)
    result = run(Coactivation(**params), given(**inputs), context)
    told = {name: table.schema() for name, table in coactivation(Coactivation()).items()}
    assert {name: table.schema for name, table in result.tables.items()} == told
    return result, context


@pytest.fixture(scope="module")
def world():
    return planted()


@pytest.fixture(scope="module")
def result(world):
    return found_in(world.active, world.n_steps)[0]


def verdict(result, feature, other):
    return result.tables["table"].filter(feature=feature, other=other)["verdict"].item()


def inside(world):
    """The pairs of features of one module."""
    return {(i, j) for own in world.modules for i in own for j in own if i < j}


def together(result):
    rows = result.tables["table"].filter(verdict="together")
    return set(rows.select("feature", "other").rows())


def test_what_was_planted_is_together_and_nothing_else(world, result):
    assert together(result) == inside(world)
    modules = result.tables["modules"].group_by("module").agg("feature")["feature"]
    assert sorted(sorted(own) for own in modules) == world.modules


def test_what_length_explains_is_explained(world, result):
    assert verdict(result, *world.long) == "explained"
    row = result.tables["table"].filter(feature=world.long[0], other=world.long[1]).row(0, named=1)
    assert row["q"] < 1e-20 < 0.01 < row["q_alike"]
    assert row["phi"] > 0.2 > abs(row["phi_alike"])


def test_without_strata_it_would_pass_for_one(world):
    """The control of the one above: what problems are long is all that tells them apart."""
    for given_steps, strata in ((world.n_steps, []), (None, ["n_steps"])):
        result, _ = found_in(world.active, given_steps, strata=strata)
        assert verdict(result, *world.long) == "together"
        assert result.meta["strata"] == []


def test_moved_to_other_problems_hardly_any_are_together(result, world):
    controls = result.tables["controls"]
    assert controls["control"].to_list() == ["none", "permuted"]
    data, permuted = controls.rows(named=True)
    n = len(world.active) * (len(world.active) - 1) // 2
    assert (data["runs"], data["pairs"], data["together"]) == (1, n, len(inside(world)))
    assert (permuted["runs"], permuted["pairs"]) == (5, 5 * n)
    assert permuted["together"] <= 1
    for row in (data, permuted):
        assert row["rate"] == row["together"] / row["pairs"]
        assert row["ci_low"] <= row["rate"] <= row["ci_high"]
    assert data["ci_low"] > permuted["ci_high"]


@pytest.mark.parametrize("seed", range(3))
def test_among_features_that_fire_as_they_like_none_are_together(seed):
    """Lengths matter to all of them, which a test without strata takes for company."""
    rng = np.random.default_rng(seed)
    n_steps = rng.integers(1, 5, 1200)
    rates = np.linspace(0.02, 0.3, 60)[:, None] * (n_steps / 2)
    noise = rng.random((60, 1200)) < rates
    small = {"min_phi": 0.05, "permutations": 0}
    assert together(found_in(noise, n_steps)[0]) == set()
    assert len(together(found_in(noise, n_steps, **small)[0])) <= 2
    assert len(together(found_in(noise, n_steps, strata=[], **small)[0])) > 100


def test_the_same_seed_says_the_same(world, result):
    again, _ = found_in(world.active, world.n_steps)
    assert all(again.tables[name].equals(table) for name, table in result.tables.items())
    assert again.meta == result.meta


def test_the_table_is_cut_from_its_end(world, result):
    whole = result.tables["table"]
    cut, _ = found_in(world.active, world.n_steps, pairs=20, permutations=0)
    assert cut.tables["table"].equals(whole.head(20))
    assert (cut.meta["pairs_shown"], cut.meta["pairs_seen"]) == (20, whole.height)
    assert cut.meta["pairs"] == sum(cut.meta["verdicts"].values())
    phi = whole.filter(pl.col("verdict") != "together")["phi"].to_list()
    assert phi == sorted(phi, reverse=True)
    assert (whole["feature"] < whole["other"]).all()
    assert cut.tables["controls"]["control"].to_list() == ["none"]


def test_the_most_frequent_features_take_part_and_the_others_are_counted(world):
    result, _ = found_in(world.active, world.n_steps, features=10, permutations=0)
    frequent = np.argsort(-world.active.sum(axis=1), kind="stable")[:10]
    table = result.tables["table"]
    assert {*table["feature"], *table["other"]} <= {int(each) for each in frequent}
    assert result.meta["features"] == 10
    assert result.meta["features_left_out"] == len(world.active) - 10
    assert result.meta["pairs"] == 45


def test_rare_features_and_those_that_are_always_on_are_in_no_pair(world):
    active = world.active.copy()
    active[0], active[1] = True, False
    active[1, :5] = True
    result, _ = found_in(active, world.n_steps, permutations=0)
    table = result.tables["table"]
    assert {0, 1}.isdisjoint({*table["feature"], *table["other"]})
    assert (result.meta["features_too_rare"], result.meta["features_always_on"]) == (1, 1)


@pytest.mark.parametrize(
    ("active", "split", "reason"),
    [
        (np.zeros((8, 50), dtype=bool), "validation", "fewer than two features are active"),
        (np.ones((8, 50), dtype=bool), "validation", "fewer than two features are active"),
        (np.eye(1, 50, dtype=bool), "validation", "fewer than two features are active"),
        (np.ones((8, 50), dtype=bool), "train", "no problem of split 'validation' was encoded"),
        (np.zeros((8, 0), dtype=bool), "validation", "no problem of split 'validation'"),
    ],
    ids=["never active", "always active", "one feature", "another split", "no problems"],
)
@pytest.mark.parametrize("with_problems", [True, False])
def test_too_little_gives_empty_tables_and_a_reason(active, split, reason, with_problems):
    n_steps = [1] * active.shape[1] if with_problems else None
    result, _ = found_in(active, n_steps, split)
    assert [result.tables[name].height for name in EMPTY] == [0] * 4
    assert result.meta["reason"].startswith(reason)


def test_problems_without_the_column_count_as_alike(world):
    result, context = found_in(world.active, world.n_steps, strata=["n_steps", "shape"])
    assert result.meta["strata"] == ["n_steps"]
    assert context.notes == ["the problems have no column shape: it does not tell them apart"]


def test_the_split_decides_which_problems_count(world):
    result, _ = found_in(world.active, world.n_steps, "train", split="all")
    assert together(result) == inside(world)
    assert result.meta["n_problems"] == world.active.shape[1]
