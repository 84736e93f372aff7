"""What is claimed of edits, on made-up runs of which the truth is known."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from studyrun import Measure
from studyrun_intervene.columns import NOISE
from studyrun_intervene.edits.differences import Dense
from studyrun_intervene.params import Controls
from studyrun_intervene.runs.arms import EDIT, ELSEWHERE, RANDOM, Arm, Plan
from studyrun_intervene.runs.by_feature import SCHEMA, Chances, Edited, SummaryTable, over_all_edits
from studyrun_intervene.runs.collected import Collected
from studyrun_intervene.statistics.intervals import wilson
from studyrun_intervene.statistics.power import least_differences

KL = Measure("kl", "")
FEW = Controls(resamples=50, flips=999)
LEAST = least_differences(0.05)


def arm(name, values, acts):
    """The runs of an arm and their values, from matrices (edits, problems)."""
    edit, row = acts.nonzero(as_tuple=True)
    differences = Dense(edit, row, lambda e, some: torch.zeros(len(some), 1))
    return Arm(name, differences, [0] * len(values)), values[edit, row]


def summary_of(  # noqa: PLR0913  # whatever a table is made of
    own,
    random=None,
    elsewhere=None,
    *,
    acts=None,
    n=None,
    matched=None,
    concepts=None,
    holds=None,
    measure=KL,
    floor=None,
    controls=FEW,
    seed=0,
):
    """The rows of one quantity; an edit acts where `acts` says, on every problem if it does not."""
    acts = torch.ones(own.shape, dtype=torch.bool) if acts is None else acts
    n = len(own) if n is None else n
    parts = [arm(EDIT, own, acts)]
    for name, values in ((RANDOM, random), (ELSEWHERE, elsewhere)):
        if values is not None:
            parts.append(arm(name, values[:n], acts[:n]))
    plan = Plan(tuple(each for each, _ in parts))
    values = torch.cat([found for _, found in parts]).double()
    collected = Collected(len(values), {(measure.name, ""): values})
    edited = Edited(
        n, own.shape[1], matched or [[] for _ in range(n)], concepts or [None] * n, holds or {}
    )
    chances = Chances.drawn(own.shape[1], controls, torch.Generator().manual_seed(seed))
    floors = [] if floor is None else [(measure.name, "", 64, floor, floor)]
    noise = pl.DataFrame(floors, NOISE.schema(), orient="row")
    table = SummaryTable(plan, collected, edited, controls, chances)
    found = table.all_of([measure], noise)
    assert found.schema == SCHEMA
    return found


def drawn(*shape, seed=0, mean=0.0, sd=1.0):
    generator = torch.Generator().manual_seed(seed)
    return mean + sd * torch.randn(shape, generator=generator, dtype=torch.float64)


# Verdicts


def test_a_planted_effect_is_one():
    """|effect| is 1 on average, a random direction's 0.1, on 30 problems."""
    own, random = drawn(3, 30, mean=1, sd=0.3), drawn(3, 30, seed=1, sd=0.1)
    found = summary_of(own, random, floor=0.01)
    assert found["verdict"].to_list() == ["effect"] * 3
    assert (found["random_q"] < 0.01).all()
    assert found["above_floor"].all()
    assert found["n_needed"].to_list() == [LEAST] * 3


def test_no_edit_without_an_effect_is_called_one():
    """Law: of 200 edits that do what a random direction does, fewer than 5 % are effects."""
    own, random = drawn(200, 40), drawn(200, 40, seed=1)
    found = summary_of(own, random)
    assert (found["verdict"] == "effect").sum() < 10
    assert set(found["verdict"]) <= {"effect", "no-effect", "insufficient"}
    assert (found["random_p"] < 0.05).mean() == pytest.approx(0.05, abs=0.04)


def test_findings_are_controlled_where_there_is_nothing():
    """Law (Benjamini-Hochberg): of 200 data sets of 10 edits, 5 % have a finding at most."""
    findings = [
        (summary_of(drawn(10, 25, seed=i), drawn(10, 25, seed=10**6 + i))["verdict"] == "effect")
        for i in range(200)
    ]
    assert sum(found.any() for found in findings) <= 18  # 10 expected, 2.6 standard deviations


def test_false_findings_are_few_beside_true_ones():
    """Law: with 5 effects among 20 edits, 5 % of the findings are false, on average, at most."""
    shares, power = [], []
    for seed in range(60):
        own, random = drawn(20, 25, seed=seed), drawn(20, 25, seed=10**6 + seed)
        own[:5] += 3
        found = (summary_of(own, random)["verdict"] == "effect").to_numpy()
        shares.append(found[5:].sum() / max(1, found.sum()))
        power.append(found[:5].mean())
    assert np.mean(shares) < 0.08
    assert np.mean(power) > 0.95


def test_too_few_acting_problems_are_insufficient_and_say_how_many_it_takes():
    own, random = drawn(2, 30, mean=1, sd=0.3), drawn(2, 30, seed=1, sd=0.1)
    acts = torch.zeros(2, 30, dtype=torch.bool)
    acts[0, : LEAST - 1], acts[1, :LEAST] = True, True
    found = summary_of(own, random, acts=acts)
    assert found["verdict"].to_list() == ["insufficient", "effect"]
    assert found["n"].to_list() == [LEAST - 1, LEAST]
    assert found["n_needed"].to_list() == [LEAST, LEAST]


def test_an_effect_that_more_problems_would_show_is_insufficient():
    """Differences 1.5 and -0.9, mean 0.3, on 12 problems: (1.96 + 0.84)^2 * 1.571 / 0.09."""
    own, random = torch.tensor([[2.0, 0] * 6]), torch.tensor([[0.5, 0.9] * 6])
    (row,) = summary_of(own, random).rows(named=True)
    assert (row["verdict"], row["n"], row["n_needed"]) == ("insufficient", 12, 137)


def test_less_than_a_random_direction_is_no_effect():
    (row,) = summary_of(torch.full((1, 20), 0.5), torch.full((1, 20), 0.9)).rows(named=True)
    assert (row["verdict"], row["random_p"]) == ("no-effect", 1.0)
    (row,) = summary_of(torch.zeros(1, 20), torch.zeros(1, 20)).rows(named=True)
    assert (row["verdict"], row["random_p"], row["n_needed"]) == ("no-effect", 1.0, None)


def test_below_the_noise_floor_nothing_is_an_effect():
    own, random = drawn(1, 30, mean=1, sd=0.1), drawn(1, 30, seed=1, sd=0.1)
    verdicts = {
        floor: summary_of(own, random, floor=floor)["verdict"].item() for floor in (None, 0.9, 1.5)
    }
    assert verdicts == {None: "effect", 0.9: "effect", 1.5: "no-effect"}


def test_without_random_directions_there_is_no_verdict():
    acts = torch.ones(2, 20, dtype=torch.bool)
    acts[1, 3:] = False
    found = summary_of(drawn(2, 20), acts=acts)
    assert found["verdict"].to_list() == [None, "insufficient"]
    assert found["random_p"].null_count() == 2


def test_an_edit_that_nowhere_acts_has_no_numbers():
    acts = torch.zeros(2, 20, dtype=torch.bool)
    acts[1] = True
    first, _ = summary_of(drawn(2, 20), drawn(2, 20, seed=1), acts=acts).rows(named=True)
    assert (first["n"], first["value"], first["size"], first["random_p"]) == (0, None, None, None)
    assert (first["value_all"], first["verdict"]) == (0, "insufficient")


# What each kind of measure is given


def test_a_fact_is_only_averaged():
    fact = Measure("right", "", of="fact")
    own = torch.tensor([[1.0, 0, 1, 1]])
    (row,) = summary_of(own, own, own, measure=fact, floor=0.5).rows(named=True)
    known = {name: value for name, value in row.items() if value is not None}
    low, high = wilson(3, 4, 0.95)
    assert known == {
        "edit": 0, "quantity": "right", "place": "", "n": 4, "value": 0.75, "ci_low": low,
        "ci_high": high, "value_all": 0.75, "size": 0.75,
    }  # fmt: skip


def test_an_outcome_is_compared_and_has_no_floor():
    outcome = Measure("matched", "", of="outcome")
    own, random = torch.ones(1, 20), torch.zeros(1, 20)
    (row,) = summary_of(own, random, measure=outcome).rows(named=True)
    assert (row["verdict"], row["floor"], row["above_floor"]) == ("effect", None, None)
    assert (row["size"], row["random_size"]) == (1, 0)


def test_the_interval_covers_the_mean_of_what_was_seen():
    """Wilson's for 0 and 1, undefined ones left out, the bootstrap's otherwise; around the mean."""
    for own in (drawn(4, 30, mean=2), (drawn(4, 30) > 0).double()):
        found = summary_of(own)
        assert (found["ci_low"] <= found["value"]).all()
        assert (found["value"] <= found["ci_high"]).all()
        assert (found["ci_low"] < found["ci_high"]).all()
    some = torch.tensor([[1.0, 0, 1, 1, float("nan")]])
    assert summary_of(some).select("ci_low", "ci_high").row(0) == wilson(3, 4, 0.95)


# Every mean, computed again


def oracle(values, acts):
    """Mean, mean size and mean over all problems, without a tensor."""
    kept = [v for v, a in zip(values.tolist(), acts.tolist(), strict=True) if a and v == v]
    if not kept:
        return None, None, 0.0
    mean = sum(kept) / len(kept)
    return mean, sum(map(abs, kept)) / len(kept), sum(kept) / len(values)


def about(value):
    return value if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)


@settings(max_examples=25)
@given(st.integers(0, 2**16), st.integers(1, 4), st.integers(2, 9), st.integers(0, 3))
def test_every_mean_is_one_of_the_runs_values(seed, n, problems, more):
    """Law: value, size, value_all, and the sizes of the controls, by plain sums."""
    every, generator = n + more, torch.Generator().manual_seed(seed)
    own, random, elsewhere = (drawn(every, problems, seed=seed + i) for i in range(3))
    acts = torch.rand(every, problems, generator=generator) < 0.8
    own[torch.rand(own.shape, generator=generator) < 0.2] = torch.nan  # undefined there
    matched = [[other for other in range(every) if other != edit] for edit in range(n)]
    holds = {"uses +": torch.rand(problems, generator=generator) < 0.5}
    concepts = ["uses +" if edit % 2 == 0 else None for edit in range(n)]
    found = summary_of(
        own, random, elsewhere, acts=acts, n=n, matched=matched, concepts=concepts, holds=holds
    )
    defined = acts & own.isfinite()
    if found.is_empty():
        assert not defined.any()
        return
    sizes = [oracle(own[edit], defined[edit])[1] for edit in range(every)]
    for edit, row in enumerate(found.rows(named=True)):
        value, size, value_all = oracle(own[edit], defined[edit])
        assert row["n"] == int(defined[edit].sum())
        assert (row["value"], row["size"]) == (about(value), about(size))
        assert row["value_all"] == about(value_all)
        for name, values in (("random", random), ("elsewhere", elsewhere)):
            assert row[f"{name}_size"] == about(oracle(values[edit], defined[edit])[1])
        others = [sizes[other] for other in matched[edit] if sizes[other] is not None]
        assert row["matched_n"] == (len(others) if every > 1 else None)
        assert row["matched_size"] == about(sum(others) / len(others) if others else None)
        concept = holds["uses +"] if concepts[edit] else torch.zeros(problems, dtype=torch.bool)
        assert row["with_n"] == int((defined[edit] & concept).sum())
        assert row["with_size"] == about(oracle(own[edit], defined[edit] & concept)[1])
        assert row["without_size"] == about(oracle(own[edit], defined[edit] & ~concept)[1])


def test_matched_edits_need_not_act():
    """Of two controls, the second has no run; it is not counted."""
    own = torch.tensor([[3.0, 5], [1, 1], [9, 9]])
    acts = torch.tensor([[True, True], [True, False], [False, False]])
    (row,) = summary_of(own, acts=acts, n=1, matched=[[1, 2]]).rows(named=True)
    assert (row["matched_n"], row["matched_size"], row["matched_below"]) == (1, 1, 1)
    assert row["matched_p"] == 0.5


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
def test_specificity_is_the_planted_ratio(ratio):
    """Law: with_size / without_size; the concept holds for every third of 60 problems."""
    holds = torch.arange(60) % 3 == 0
    base = drawn(1, 60, mean=1, sd=0.05)
    own = torch.where(holds, ratio * base, base)
    found = summary_of(own, concepts=["uses +"], holds={"uses +": holds})
    (row,) = found.rows(named=True)
    assert (row["concept"], row["with_n"]) == ("uses +", 20)
    assert row["specificity"] == pytest.approx(ratio, rel=0.03)
    assert row["specific_difference"] == pytest.approx(ratio - 1, abs=0.05)
    assert row["specific_low"] - 0.02 <= ratio - 1 <= row["specific_high"] + 0.02
    assert (row["specific_q"] < 0.01) == (ratio != 1)


def test_a_concept_that_no_problem_has_says_nothing():
    holds = torch.zeros(20, dtype=torch.bool)
    found = summary_of(drawn(1, 20), concepts=["uses +"], holds={"uses +": holds})
    (row,) = found.rows(named=True)
    assert (row["with_n"], row["specificity"], row["specific_p"]) == (0, None, None)


# Tables made in parts


@settings(max_examples=15)
@given(st.integers(0, 2**16), st.integers(1, 5))
def test_a_table_made_in_parts_is_judged_as_a_whole(seed, cut):
    """Law: p-values of parts, q-values and verdicts of all edits: those of one table."""
    own, random, elsewhere = (drawn(6, 15, seed=seed + i) for i in range(3))
    own[0] += 3
    whole = summary_of(own, random, elsewhere)
    parts = [
        summary_of(own[some], random[some], elsewhere[some])
        for some in (slice(0, cut), slice(cut, 6))
    ]
    numbered = [part.with_columns(pl.col("edit") + i * cut) for i, part in enumerate(parts)]
    joined = over_all_edits(pl.concat(numbered), 0.05)
    assert joined.schema == SCHEMA
    for column in whole.columns:
        if whole[column].dtype == pl.Float64:
            found, expected = (x[column].fill_null(-1.0).to_list() for x in (joined, whole))
            assert found == pytest.approx(expected, rel=1e-12), column
        else:
            assert joined[column].to_list() == whole[column].to_list(), column


def test_facts_stay_without_a_verdict():
    fact = Measure("right", "", of="fact")
    found = summary_of(torch.ones(1, 3), measure=fact)
    assert over_all_edits(found, 0.05).equals(found)
