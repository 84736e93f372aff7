"""The swap protocol: which problems can carry it, what it counts, and what it says."""

from pathlib import Path

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_runs import asked_of, runs_of
from reruns import CHEAP, Again  # found through the line above

import tiny_models
from studyrun import NoParams
from studyrun.testing import check_tables, run_study, tiny_study
from studyrun_classify.params import SwapTest
from studyrun_data.answer import read_answer
from studyrun_intervene.effects import answer
from studyrun_intervene.protocol import Outcome, judged, too_few
from studyrun_intervene.statistics.intervals import wilson

THIRD_PARTY = str(Path(__file__).parent / "third_party_edits.py")
FEW = f"effects: [answer], problems: 5, {CHEAP}"
EASY = "test: {moved: 0.9, by_chance: 0.05, alpha: 0.2, power: 0.5}"
"""A test that takes one problem."""
HALF = "test: {moved: 0.5, by_chance: 0.1, alpha: 0.05}"
"""One that takes ten."""


def labels(concepts):
    return (
        f"labels: {{use: classify, with: {{classifier: {{told: {{concepts: {{{concepts}}}}}}}, "
        f"concepts: [operations], permutations: 0, matched: 0, swaps: {EASY.partition(': ')[2]}}}}}"
    )


NAMED = "[1, 9], [uses +, 'uses *'], [1, 3], [1, 5], [uses +, uses /]"
STEPS = f"""
{labels("'uses +': 1, 'uses *': 9, '* then +': 5")}
named: {{use: swap, with: {{pairs: [{NAMED}], {EASY}, {FEW}}}}}
auto: {{use: swap, with: {{{EASY}, {FEW}}}}}
few: {{use: swap, with: {{pairs: [[1, 9]], {FEW}}}}}
unread: {{use: swap, with: {{pairs: [[1, 9]]}}}}
missing: {{use: swap, with: {{pairs: [[uses /, uses -]], {FEW}}}}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("protocol")
    return run_study(tiny_study(folder, STEPS), folder, modules=[THIRD_PARTY])


def rows_of(run, step):
    return run[step].read_table("protocol").rows(named=True)


# What is said of outcomes


def outcome(towards, exact=None, changed=None):
    values = [
        torch.tensor(each or towards, dtype=torch.float64) for each in (exact, towards, changed)
    ]
    return Outcome(*values)


def said(swap, null, **test):
    return judged(swap, null, SwapTest(**test), 0.95, torch.Generator().manual_seed(0))


def test_shares_and_p_by_hand():
    """Of 8 answers 7 move towards it, by the null swap none: p = 2^-7, McNemar's exact test."""
    swap = outcome([1.0] * 7 + [0], exact=[1.0] * 2 + [0] * 6, changed=[1.0] * 8)
    null = outcome([0.0] * 8, changed=[1.0] * 4 + [0] * 4)
    row = said(swap, null)
    low, high = wilson(7, 8, 0.95)
    assert {name: row[name] for name in ("exact", "towards", "unchanged")} == {
        "exact": 0.25, "towards": 0.875, "unchanged": 0,
    }  # fmt: skip
    assert (row["towards_ci_low"], row["towards_ci_high"]) == (low, high)
    assert (row["null_exact"], row["null_towards"], row["null_unchanged"]) == (0, 0, 0.5)
    assert row["p"] == pytest.approx(2**-7)
    assert row["verdict"] == "supported"
    assert "p = 0.0078 that so many more move towards" in row["reason"]
    assert said(swap, null, alpha=0.005)["verdict"] == "refuted"


def test_what_the_null_swap_does_too_is_refuted():
    same = outcome([1.0] * 7 + [0])
    row = said(same, same)
    assert (row["verdict"], row["p"]) == ("refuted", 1)
    assert said(outcome([0.0] * 8), same)["p"] == pytest.approx(1)


def test_without_a_null_swap_nothing_is_said():
    row = said(outcome([1.0] * 8), None)
    assert row["verdict"] == "inconclusive"
    assert "no other pair of features is alike" in row["reason"]
    assert (row["towards"], "p" in row) == (1, False)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_p_is_mcnemars(both):
    """Law: of the problems that one of the two moves alone, as many or more by a fair coin."""
    from scipy.stats import binomtest

    swap, null = (outcome([float(pair[i]) for pair in both]) for i in (0, 1))
    only = sum(a and not b for a, b in both)
    discordant = sum(a != b for a, b in both)
    exact = binomtest(only, discordant, alternative="greater").pvalue if discordant else 1.0
    row = said(swap, null)
    assert row["p"] == pytest.approx(exact)
    assert (row["verdict"] == "supported") == (exact < 0.01)


def test_power_and_need_are_those_of_the_labels_pairs():
    assert too_few(49, SwapTest())[0] < 0.8 <= too_few(50, SwapTest())[0]
    assert too_few(0, SwapTest()) == (0, 50)
    assert too_few(0, SwapTest(moved=0.0501))[1] is None


# On the study's own problems


def test_a_pair_by_number_and_by_its_concepts_is_the_same(run):
    by_number, by_concept, *_ = (row | {"outcomes": 0} for row in rows_of(run, "named"))
    assert by_number == by_concept
    assert (by_number["feature"], by_number["feature_b"]) == (1, 9)
    assert (by_number["concept"], by_number["concept_b"]) == ("uses +", "uses *")
    assert rows_of(run, "auto")[0] == by_number
    assert run["auto"].table.select("feature", "feature_b").rows() == [(1, 9)]


def carriers(again, pair):
    """Problem -> counterfactual answer: one operation, + or *, and a feature of the pair active."""
    found = {}
    for problem, row in again.row.items():
        (step,) = again.problems["steps"][problem]
        if step["operators"][0] not in "+*" or not again.z[row, list(pair)].any():
            continue
        a, b = step["operands"]
        other = a * b if step["operators"][0] == "+" else a + b
        if other != step["result"]:
            found[problem] = other
    return found


def shares(again, features, carriers):
    """exact, towards and unchanged of a swap, by full runs."""
    problems = list(carriers)
    z = again.of(problems)
    swapped = z.clone()
    swapped[:, list(features)] = z[:, list(features)[::-1]]
    runs = runs_of(
        len(problems),
        answers=again.answers(problems, again.difference(z, swapped)),
        clean_answers=again.answers(problems),
    )
    asked = asked_of(len(problems), expected=[float(carriers[problem]) for problem in problems])
    values = answer.measure(runs, asked, NoParams()).values
    exact, towards = (
        values[f"answer_{name}"].nan_to_num(0.0).mean().item() for name in ("matched", "towards")
    )
    return exact, towards, 1 - values["answer_changed"].mean().item()


def test_the_counts_are_those_of_full_runs(run):
    """Law: on every carrier, swap and null swap, the model run in full."""
    again, row = Again(run), rows_of(run, "named")[0]
    found = carriers(again, (1, 9))
    assert (row["problems"], row["n"]) == ("study", len(found))
    assert len(found) > 10
    own = shares(again, (1, 9), found)
    assert (row["exact"], row["towards"], row["unchanged"]) == pytest.approx(own)
    null = (row["null_feature"], row["null_feature_b"])
    assert not {*null} & {1, 9}
    of_null = shares(again, null, found)
    assert own != pytest.approx(of_null)  # so that they cannot be mixed up
    named = ("null_exact", "null_towards", "null_unchanged")
    assert tuple(row[name] for name in named) == pytest.approx(of_null)
    assert row["verdict"] in ("supported", "refuted")
    assert (row["n_needed"], row["power"] >= 0.5) == (1, True)


def test_concepts_that_cannot_be_exchanged_are_inconclusive_and_say_so(run):
    _, _, unlabelled, pattern, missing = rows_of(run, "named")
    for row in (unlabelled, pattern):
        assert row["verdict"] == "inconclusive"
        assert row["reason"].startswith("it is not clear what exchanging these two concepts")
        assert (row["n"], row["exact"], row["p"]) == (None, None, None)
    assert unlabelled["concept_b"] is None
    assert (missing["concept"], missing["concept_b"]) == ("uses +", "uses /")
    assert missing["feature"] is None
    assert missing["reason"] == "no feature is labelled `uses /`"
    assert run["named"].table.height == 4  # the pairs that there are


def test_too_few_problems_are_inconclusive_and_say_how_many_it_takes(run):
    (row,) = rows_of(run, "few")
    assert (row["verdict"], row["n_needed"]) == ("inconclusive", 50)
    assert row["power"] < 0.8
    n = row["n"]
    assert row["reason"] == (
        f"the swap has a direction on {n} problems, and 50 are needed; `generate: word-problems` "
        "makes them"
    )
    assert (row["exact"], row["p"], row["null_feature"]) == (None, None, None)


def test_a_step_all_of_whose_pairs_are_missing_says_so(run):
    (row,) = rows_of(run, "missing")
    assert row["reason"] == "no feature is labelled `uses /` and `uses -`"
    assert run["missing"].table.is_empty()


def test_where_no_answers_are_read_there_is_no_protocol(run):
    assert "protocol" not in run["unread"].table_names
    check_tables(run, modules=[THIRD_PARTY])


# On problems that are made; most features are active on most of them

LABELS = labels(
    "'uses +': 11, 'uses *': 20, 'contains 12': 10, 'contains 50': 2, 'first is +': 3, "
    "'first is *': 16"
)
MADE = f"""\
study: made
model: {{use: codi, with: {{checkpoint: model}}}}
data: {{use: word-problems, with: {{problems: 20, validation: 0.5, steps: [1, 2]}}}}
steps:
  activations: {{use: extract, with: {{layers: [1], positions: [2]}}}}
  sae: {{use: sae-train, with: {{d_sae: 24, k: 20, epochs: 2}}}}
  features: {{use: sae-encode}}
  {LABELS}
"""
PAIRS = "pairs: [[uses +, 'uses *'], [contains 12, contains 50], ['first is +', 'first is *']]"
GENERATE = "generate: {word-problems: {steps: [1, 2]}}"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    tiny_models.write_codi(folder / "model", layers=3, d=16, thoughts=3)
    steps = "".join(
        f"  {name}: {{use: swap, with: {{{more}, {FEW}}}}}\n"
        for name, more in (
            ("without", f"{PAIRS}, {HALF}"),
            ("generated", f"{PAIRS}, {HALF}, {GENERATE}"),
            ("again", f"{PAIRS}, {HALF}, {GENERATE}, split: validation, max_pairs: 9"),
            ("auto", f"{HALF}, {GENERATE}"),
        )
    )
    return run_study(MADE + steps, folder, modules=[THIRD_PARTY])


def test_problems_are_made_for_a_pair_that_has_too_few(made):
    """Law: the same pair is inconclusive without them, and carried by made problems with them."""
    without, generated = (rows_of(made, step) for step in ("without", "generated"))
    for few, many in list(zip(without, generated, strict=True))[:2]:
        assert (few["problems"], few["verdict"]) == ("study", "inconclusive")
        assert few["n"] < few["n_needed"] == 10
        assert many["problems"] == "word-problems"
        assert many["n"] > few["n"]
    tested = generated[0]
    assert tested["n"] >= 10
    assert tested["power"] >= 0.8
    assert tested["exact"] is not None


def test_a_change_for_which_no_problems_can_be_made_keeps_the_studys_own(made):
    """At one place only, contrast pairs do not exist; the reason names no cure that is tried."""
    row = rows_of(made, "generated")[2]
    assert (row["problems"], row["verdict"]) == ("study", "inconclusive")
    assert row["reason"].endswith("10 are needed")


def test_made_problems_are_the_same_every_time(made):
    assert rows_of(made, "generated") == rows_of(made, "again")


def test_automatic_pairs_are_also_those_that_need_problems(made):
    """Law: without `generate` they would not be testable, and not be chosen."""
    every = made["labels"].read_table("swap_pairs")
    assert made["auto"].table.height == min(10, every.height)
    assert {row["problems"] for row in rows_of(made, "auto")} >= {"word-problems"}


def one_pair(folder, generate):
    """A tiny study that swaps one pair, with problems from there."""
    step = f"a: {{use: swap, with: {{pairs: [[11, 20]], generate: {generate}, {FEW}}}}}"
    return tiny_study(folder, f"{LABELS}\n{step}")


def test_a_data_set_that_makes_no_pairs_makes_no_problems(tmp_path):
    """Like `jsonl`: the pair is then inconclusive, as without it."""
    text = one_pair(tmp_path, "{jsonl: {path: problems.jsonl}}")
    (row,) = rows_of(run_study(text, tmp_path, modules=[THIRD_PARTY]), "a")
    assert (row["problems"], row["verdict"]) == ("study", "inconclusive")


def test_problems_that_the_model_cannot_read_are_not_made_and_the_run_says_why(tmp_path):
    text = one_pair(tmp_path, "word-problems")
    run = run_study(text, tmp_path, modules=[THIRD_PARTY])
    (row,) = rows_of(run, "a")
    assert (row["problems"], row["verdict"]) == ("study", "inconclusive")
    assert "not in the model's vocabulary" in (run.folder / "events.jsonl").read_text()


def test_the_shares_are_those_of_the_stored_outcomes(run):
    """Law: n and `exact` can be counted again from the answers that are stored."""
    stored = run["named"].read_table("protocol_outcomes")
    counted = 0
    for row in rows_of(run, "named"):
        if row["outcomes"] is None:
            continue
        own = stored.filter(pl.col("outcomes") == row["outcomes"])
        said = [None if text is None else read_answer(text, "last-number") for text in own["after"]]
        assert own.height == row["n"]
        assert sum(a == b for a, b in zip(said, own["expected"], strict=True)) / own.height == (
            pytest.approx(row["exact"])
        )
        counted += 1
    assert counted
