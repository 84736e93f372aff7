"""Which swaps could be tested: counts against plain loops, power against plain sums."""

from dataclasses import replace
from math import comb

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

import studyrun_classify.controls.swap_pairs as module
import studyrun_classify.controls.swap_power as swap_power
from strategies import evidences
from studyrun_classify.controls.swap_pairs import SCHEMA, swap_pairs
from studyrun_classify.controls.swap_power import moved_test_needs, moved_test_power
from studyrun_classify.params import SwapTest
from studyrun_classify.statistics.incidence import incidence_of

TEST = SwapTest()


def labels_of(evidence, *said):
    """A main table: (label, kind, concept) for each feature in the order of ranks."""
    rows = [(*row, *text) for row, text in zip(_ranks(evidence), said, strict=True)]
    schema = {"feature": pl.UInt32, "rank": pl.UInt32, "label": pl.String, "kind": pl.String,
              "concept": pl.String}  # fmt: skip
    return pl.DataFrame(rows, schema, orient="row")


def _ranks(evidence):
    return evidence.features.select("feature", "rank").rows()


def named_after_concepts(evidence):
    """Feature i follows concept i, as far as there are concepts; the kinds alternate."""
    names = [concept.name for concept in evidence.concepts]
    said = []
    for feature, _ in _ranks(evidence):
        name = names[feature % len(names)]
        said.append((name, ("operation", "value")[feature % len(names) // 2], name))
    return labels_of(evidence, *said)


def plain_counts(evidence, a, b, of_a, of_b):
    """(n_a, n_b, n_both, n_testable), problem by problem."""
    active = {f: set(evidence.activations.filter(feature=f)["problem"]) for f in (a, b)}
    index = {concept.name: i for i, concept in enumerate(evidence.concepts)}
    holds = [set(evidence.membership.filter(concept=index[c])["problem"]) for c in (of_a, of_b)]
    problems = evidence.problems["problem"]
    either = [p for p in problems if p in active[a] or p in active[b]]
    testable = sum((p in holds[0]) != (p in holds[1]) for p in either)
    return len(active[a]), len(active[b]), len(active[a] & active[b]), testable


@settings(max_examples=60)
@given(evidences())
def test_every_pair_of_one_kind_with_different_labels_is_there_once_and_counted(evidence):
    labels = named_after_concepts(evidence)
    table = swap_pairs(labels, incidence_of(evidence), TEST).table
    assert table.schema == SCHEMA
    rows = labels.rows(named=True)
    wanted = {
        (one["feature"], other["feature"]): plain_counts(
            evidence, one["feature"], other["feature"], one["concept"], other["concept"]
        )
        for i, one in enumerate(rows)
        for other in rows[i + 1 :]
        if one["kind"] == other["kind"] and one["label"] != other["label"]
    }
    columns = ["n_a", "n_b", "n_both", "n_testable"]
    found = {row[:2]: row[2:] for row in table.select("feature_a", "feature_b", *columns).rows()}
    assert found == wanted


def tail(n, least, share):
    """P(X >= least) of a binomial, summed."""
    return sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(least, n + 1))


def plain_power(n, test):
    least = next(c for c in range(n + 2) if tail(n, c, test.by_chance) <= test.alpha)
    return tail(n, least, test.moved)


@pytest.mark.parametrize("test", [TEST, SwapTest(moved=0.5, by_chance=0.1, alpha=0.05)], ids=str)
def test_power_is_that_of_the_exact_binomial_test(test):
    sizes = range(81)
    expected = [plain_power(n, test) for n in sizes]
    assert moved_test_power(np.array(sizes, dtype=float), test) == pytest.approx(expected)


@pytest.mark.parametrize(
    "test", [TEST, SwapTest(moved=0.9), SwapTest(power=0.95), SwapTest(by_chance=0.15)], ids=str
)
def test_from_n_needed_on_the_power_is_never_too_small(test):
    needed = moved_test_needs(test)
    powers = moved_test_power(np.arange(needed - 1.0, 4 * needed + 200), test)
    assert powers[0] < test.power <= powers[1:].min()


def test_an_effect_that_nobody_can_find_has_no_number(monkeypatch):
    monkeypatch.setattr(swap_power, "LARGEST", 1_000)
    assert moved_test_needs(SwapTest(moved=0.06)) is None
    labels, incidence = world(120, 40, labels=[X, Y])
    (row,) = swap_pairs(labels, incidence, SwapTest(moved=0.06)).table.rows(named=True)
    assert (row["n_needed"], row["testable"]) == (None, False)
    assert row["reason"].endswith("and more than 200,000 are needed")


def world(*n_active, labels, n=200):
    """Features active on the first problems of a world where `x` and `y` each hold on one half."""
    from planted import World

    built = World(n)
    half = np.arange(n) % 2 == 0
    for name, holds in (("x", half), ("y", ~half), ("x again", half)):
        built.concept(name, holds)
    for count in n_active:
        built.feature(np.arange(count))
    evidence = built.evidence()
    order = evidence.features["feature"].to_list()
    return labels_of(evidence, *(labels[f] for f in order)), incidence_of(evidence)


X, Y, Z = ("x", "operation", "x"), ("y", "operation", "y"), ("x again", "operation", "x again")


def test_a_pair_is_testable_or_says_why_not():
    labels, incidence = world(120, 40, 30, labels=[X, Y, Z])
    found = swap_pairs(labels, incidence, TEST)
    rows = {row["label_a"] + row["label_b"]: row for row in found.table.rows(named=True)}
    enough = [rows["xy"][name] for name in ("n_testable", "testable", "reason")]
    assert enough == [120, True, None]
    few = rows["yx again"]
    assert (few["n_testable"], few["n_needed"], few["testable"]) == (40, 50, False)
    assert few["reason"] == "the swap has a direction on 40 problems, and 50 are needed"
    never = rows["xx again"]
    assert never["n_testable"] == 0
    assert never["reason"] == (
        "where one of the two is active, both of their concepts hold or neither does"
    )
    assert never["power"] == 0
    assert found.summary == "1 of 3 pairs of labelled features can be tested"


def test_a_label_without_a_concept_has_no_direction():
    labels, incidence = world(120, 100, labels=[X, ("warm", "operation", None)])
    (row,) = swap_pairs(labels, incidence, TEST).table.rows(named=True)
    assert (row["n_testable"], row["power"], row["testable"]) == (None, None, False)
    assert "names no concept of the study" in row["reason"]


def test_when_no_pair_is_testable_the_summary_says_how_far_it_is():
    labels, incidence = world(30, 40, labels=[X, Y])
    assert swap_pairs(labels, incidence, TEST).summary == (
        "0 of 1 pairs of labelled features can be tested: it takes 50 problems with a direction, "
        "and no pair has more than 40"
    )


@pytest.mark.parametrize(
    ("labels", "summary"),
    [
        ([("general",) * 3, ("insufficient",) * 3],
         "no feature is labelled: a swap needs two different labels of one kind"),
        ([X, ("unknown",) * 3],
         "1 feature is labelled, `x`: a swap needs two different labels of one kind"),
        ([X, X], "2 features are labelled, all `x`: a swap needs two different labels of one kind"),
        ([X, ("holds 12", "value", "x"), X],
         "3 features are labelled, 2 `x` and 1 `holds 12`: a swap needs two different labels of "
         "one kind"),
    ],
)  # fmt: skip
def test_where_there_is_no_candidate_the_summary_says_why(labels, summary):
    table, incidence = world(*range(20, 20 + len(labels)), labels=labels)
    found = swap_pairs(table, incidence, TEST)
    assert found.table.equals(SCHEMA.to_frame())
    assert found.summary == summary


def test_the_best_pair_of_every_two_labels_comes_before_the_second_of_any():
    labels, incidence = world(150, 140, 130, 60, labels=[X, X, Y, ("z", "operation", "y")])
    rows = (
        swap_pairs(labels, incidence, TEST).table.select("label_a", "label_b", "feature_a").rows()
    )
    assert rows == [
        ("x", "y", 0), ("x", "z", 0), ("x", "y", 1), ("x", "z", 1), ("y", "z", 2),
    ]  # fmt: skip


def test_untestable_pairs_come_last_and_the_list_is_bounded(monkeypatch):
    labels, incidence = world(150, 140, 130, 120, 20, 10, labels=[X, Y, X, Y, X, Y])
    table = swap_pairs(labels, incidence, TEST).table
    assert table["testable"].to_list() == [True] * 8 + [False]
    monkeypatch.setattr(module, "LISTED", 3)
    short = swap_pairs(labels, incidence, TEST)
    assert short.table.equals(table.head(3))
    assert short.summary.startswith("8 of 9 pairs")


def test_of_too_many_features_those_of_every_label_are_tried_in_turn(monkeypatch):
    labels, incidence = world(150, 140, 130, 60, labels=[X, X, X, Y])
    monkeypatch.setattr(module, "CANDIDATES", 2)
    table = swap_pairs(labels, incidence, TEST).table
    assert table.select("feature_a", "feature_b").rows() == [(0, 3)]


def test_another_test_needs_other_numbers():
    labels, incidence = world(120, 40, labels=[X, Y])
    strict = replace(TEST, moved=0.1)
    (row,) = swap_pairs(labels, incidence, strict).table.rows(named=True)
    assert row["n_needed"] == moved_test_needs(strict)
    assert not row["testable"]
