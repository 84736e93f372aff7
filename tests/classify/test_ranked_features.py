import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyrun_classify.distribution import distribution
from studyrun_classify.features import ranked, top_problems
from studyrun_classify.kinds import KINDS
from studyrun_classify.ranks import Ranks

ACTIVE = pl.DataFrame(
    {
        "problem": pl.Series([0, 1, 1, 2, 2, 3], dtype=pl.UInt32),
        "feature": pl.Series([3, 3, 1, 1, 0, 3], dtype=pl.UInt32),
        "activation": pl.Series([-4.0, 1.0, 2.0, -2.0, 0.5, 1.0], dtype=pl.Float32),
    }
)


def test_rank_1_is_the_most_frequent_and_the_smaller_number_wins_a_tie():
    found = ranked(ACTIVE, d_sae=5, n_problems=4)
    assert found["feature"].to_list() == [3, 1, 0, 2, 4]
    assert found["rank"].to_list() == [1, 2, 3, 4, 5]
    assert found["n_active"].to_list() == [3, 2, 1, 0, 0]
    assert found["frequency"].to_list() == [0.75, 0.5, 0.25, 0.0, 0.0]
    assert found["mean_abs_activation"].to_list() == [1.5, 1.0, 0.125, 0.0, 0.0]
    assert found["mean_abs_when_active"].to_list() == [2.0, 2.0, 0.5, None, None]


@given(st.randoms())
def test_ranks_do_not_depend_on_the_order_of_the_rows(random):
    order = list(range(ACTIVE.height))
    random.shuffle(order)
    assert ranked(ACTIVE[order], 5, 4).equals(ranked(ACTIVE, 5, 4))


def test_top_problems_are_those_of_largest_magnitude_and_the_earlier_wins_a_tie():
    ids = pl.DataFrame({"problem": pl.Series([0, 1, 2, 3], dtype=pl.UInt32), "id": list("abcd")})
    found = top_problems(ACTIVE, ids, 2)
    assert found.rows() == [
        (0, 1, 2, "c", 0.5),
        (1, 1, 1, "b", 2.0),
        (1, 2, 2, "c", -2.0),
        (3, 1, 0, "a", -4.0),
        (3, 2, 1, "b", 1.0),
    ]
    assert top_problems(ACTIVE, ids, 0).height == 0


def test_the_distribution_counts_kinds_in_ranges_and_lists_kinds_that_are_not_there():
    kinds = ["general", "operation", "operation", "insufficient", "clock"]
    labels = pl.DataFrame({"rank": [1, 2, 3, 4, 5], "kind": kinds})
    found = distribution(labels, [Ranks(1, 2), Ranks(3, 5)])
    assert found["kind"].to_list() == [*KINDS, "clock"] * 2
    rows = {(row["ranks"], row["kind"]): row for row in found.iter_rows(named=True)}
    assert (rows["1-2", "operation"]["n"], rows["1-2", "operation"]["total"]) == (1, 2)
    assert (rows["3-5", "clock"]["n"], rows["3-5", "clock"]["share"]) == (1, pytest.approx(1 / 3))
    assert rows["1-2", "value"]["n"] == 0
    assert rows["1-2", "value"]["ci_low"] == 0
    assert found.group_by("ranks").agg(pl.col("share").sum())["share"].to_list() == [1.0, 1.0]


@pytest.mark.parametrize("at_once", [1, 3])
def test_ranks_do_not_depend_on_how_many_pairs_are_added_up_at_once(monkeypatch, at_once):
    pairs = pl.DataFrame(
        {"problem": [0, 0, 1, 2, 2], "feature": [1, 2, 1, 0, 1], "activation": [1, -2, 3, 4, -5.5]},
        {"problem": pl.UInt32, "feature": pl.UInt32, "activation": pl.Float32},
    )
    whole = ranked(pairs, 4, 3)
    monkeypatch.setattr("studyrun_classify.features.AT_ONCE", at_once)
    assert ranked(pairs, 4, 3).equals(whole)
    assert whole["mean_abs_activation"].to_list() == pytest.approx([9.5 / 3, 4 / 3, 2 / 3, 0])
