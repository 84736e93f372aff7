"""The problems that are shown of a feature: the strongest, and some of every strength."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from feature_worlds import pairs_of, rows_of
from hypothesis import given
from hypothesis import strategies as st

from strategies import Firing, firings
from studyrun_features.columns import SAMPLES
from studyrun_features.samples import PARTS, TOP, sampled


def drawn(firing, top=3, each=2, seed=0):
    return sampled(pairs_of(firing), rows_of(firing.n_problems), top, each, seed)


def by_strength(firing, feature):
    """(problem, activation) of a feature, the strongest first; written down plainly."""
    own = [(p, np.float32(v)) for (p, f), v in firing.pairs.items() if f == feature and v != 0]
    return sorted(own, key=lambda pair: (-abs(pair[1]), pair[0]))


def fifths(firing, feature):
    """Part -> the problems in it: as equal as can be, the odd ones in the weaker parts."""
    ordered = by_strength(firing, feature)[::-1]
    parts = {part: [] for part in reversed(PARTS)}
    for place, (problem, _) in enumerate(ordered):
        parts[PARTS[len(PARTS) - 1 - len(PARTS) * place // len(ordered)]].append(problem)
    return parts


@given(firings(), st.integers(0, 5), st.integers(0, 3))
def test_the_strongest_come_first_and_every_fifth_gives_as_many_as_it_has(firing, top, each):
    table = drawn(firing, top, each)
    assert table.schema == SAMPLES.schema()
    for feature in range(firing.d_sae):
        own = table.filter(feature=feature)
        strongest = by_strength(firing, feature)[:top]
        shown = own.filter(part=TOP).select("place", "problem", "activation").rows()
        assert shown == [(i, *pair) for i, pair in enumerate(strongest, start=1)]
        for part, members in fifths(firing, feature).items():
            found = own.filter(part=part)
            assert found["place"].to_list() == list(range(1, min(each, len(members)) + 1))
            assert set(found["problem"]) <= set(members)
            assert found["problem"].is_unique().all()


@given(firings())
def test_within_a_part_the_strongest_come_first(firing):
    table = drawn(firing, each=3).with_columns(pl.col("activation").abs())
    falls = table.group_by("feature", "part", maintain_order=True).agg("activation")
    assert all(v == sorted(v, reverse=True) for v in falls["activation"].to_list())


@given(firings(), st.integers(0, 2**32))
def test_what_is_drawn_of_a_feature_does_not_depend_on_the_others(firing, seed):
    """Law: nor on the order in which pairs are given."""
    table = drawn(firing, seed=seed)
    for feature in range(firing.d_sae):
        own = {place: v for place, v in reversed(firing.pairs.items()) if place[1] == feature}
        alone = drawn(replace(firing, pairs=own), seed=seed)
        assert alone.equals(table.filter(feature=feature))


def test_ids_are_those_of_the_problems():
    table = drawn(Firing(4, 1, {(3, 0): 1.0, (2, 0): 5.0}))
    assert table["id"].to_list() == [f"p{n}" for n in table["problem"]]


def test_parts_come_from_the_strongest_to_the_weakest():
    table = drawn(Firing(10, 1, {(p, 0): p + 1.0 for p in range(10)}), top=1, each=1)
    assert table["part"].to_list() == [TOP, *PARTS]
    assert (table["problem"] // 2)[1:].to_list() == [4, 3, 2, 1, 0]


def test_every_problem_of_a_fifth_is_as_likely_to_be_drawn():
    """50 problems, 10 of each fifth, one drawn: over 2,000 seeds each comes 200 times or so."""
    firing = Firing(50, 1, {(p, 0): p + 1.0 for p in range(50)})
    active, rows = pairs_of(firing), rows_of(50)
    counts = np.zeros(50)
    for seed in range(2000):
        np.add.at(counts, sampled(active, rows, 0, 1, seed)["problem"].to_numpy(), 1)
    assert counts.sum() == 5 * 2000
    chi2 = ((counts - 200) ** 2 / 200).sum()  # 45 degrees of freedom
    assert chi2 == pytest.approx(45, abs=5 * np.sqrt(2 * 45))


def test_another_seed_draws_others():
    firing = Firing(100, 1, {(p, 0): p + 1.0 for p in range(100)})
    assert not drawn(firing, seed=1).equals(drawn(firing, seed=2))
    assert drawn(firing, seed=1).filter(part=TOP).equals(drawn(firing, seed=2).filter(part=TOP))
