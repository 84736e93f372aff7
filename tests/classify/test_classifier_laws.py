"""Every registered classifier keeps the laws that bind it, and every law can be broken."""

import re

import polars as pl
import pytest
from broken_classifiers import MUTANTS
from polars.testing import assert_frame_equal

from studyrun.errors import UsageError
from studyrun.registry import Registry
from studyrun.testing import CLASSIFIER_LAWS, LawBroken, check_law, laws_of, sample_evidence

PLUGIN = "broken_classifiers"
ALL = [
    case
    for name in Registry.load().names("classifier")
    for case in laws_of(name, kind="classifier")
]


@pytest.mark.parametrize("case", ALL, ids=str)
def test_every_registered_classifier_keeps_its_laws(case):
    check_law(case, examples=3)


def case_of(classifier, law):
    cases = laws_of(classifier, kind="classifier", modules=[PLUGIN])
    return next(case for case in cases if case.law.name == law)


@pytest.mark.parametrize("law", CLASSIFIER_LAWS)
def test_every_law_is_broken_by_its_mutant(law):
    with pytest.raises(LawBroken) as caught:
        check_law(case_of(f"breaks-{law}", law))
    assert (caught.value.law, caught.value.component) == (law, f"breaks-{law}")
    assert f"breaks-{law} breaks the law {law}: C(e" in str(caught.value)


def test_every_law_has_a_mutant():
    assert set(MUTANTS) == set(CLASSIFIER_LAWS)


def test_the_smallest_example_says_how_to_make_it_again():
    with pytest.raises(LawBroken) as caught:
        check_law(case_of("breaks-silence", "silence"))
    features, seed = re.findall(r"\(1, (\d), seed=(.*)", caught.value.example["e"])[0]
    assert str(caught.value) == (
        "breaks-silence breaks the law silence: C(e) gives no label to a feature that is never "
        "active\n"
        "  smallest example found:\n"
        f"    e = sample_evidence(1, {features}, seed={seed}\n"
        "    params = Support(min_support=1)\n"
        "    found = [{'feature': 1, 'label': 'number', 'kind': 'value', 'n_active': 0}]"
    )
    evidence = eval(caught.value.example["e"])  # our own words
    assert evidence.features.filter(feature=1)["n_active"].to_list() == [0]


def test_what_a_classifier_raises_is_shown_with_its_example():
    with pytest.raises(LawBroken, match="raised = ZeroDivisionError") as caught:
        check_law(case_of("fails", "silence"))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_column_that_is_missing_is_named():
    with pytest.raises(LawBroken, match=r"missing = \['kind'\]"):
        check_law(case_of("says-little", "one-row-each"))


def test_an_unknown_classifier_and_an_unknown_law_are_named():
    with pytest.raises(UsageError, match="no classifier 'enrichmen'; did you mean 'enrichment'"):
        laws_of("enrichmen", kind="classifier")
    with pytest.raises(UsageError, match="declares the law 'suport'; did you mean 'support'"):
        laws_of("promises-too-much", kind="classifier", modules=[PLUGIN])


def test_sample_evidence_is_what_its_docstring_says():
    evidence = sample_evidence(seed=3)
    problems = evidence.problems
    for index, concept in enumerate(evidence.concepts):
        holding = problems.filter(concept.expr)["problem"]
        assert_frame_equal(
            evidence.membership.filter(concept=index),
            pl.DataFrame({"problem": holding}).with_columns(concept=pl.lit(index, pl.UInt32)),
        )
    n_active = dict(evidence.features.select("feature", "n_active").iter_rows())
    counted = dict(evidence.activations.group_by("feature").len().iter_rows())
    assert {f: n for f, n in n_active.items() if n} == counted
    assert (n_active[2], n_active[5], n_active[1]) == (120, 2, 0)
    assert evidence.features["rank"].to_list() == [1, 2, 3, 4, 5, 6]
    assert evidence.features["n_active"].is_sorted(descending=True)
    assert problems["problem"].max() > 120
    assert evidence.activations["activation"].min() > 0


def test_its_features_follow_their_concepts():
    from studyrun_classify.classifiers.enrichment import classify
    from studyrun_classify.params import EnrichmentParams

    labels = classify(sample_evidence(400), EnrichmentParams()).labels
    named = labels.filter(verdict="enriched").sort("feature").select("feature", "label").rows()
    assert named == [(0, "uses +"), (2, "uses *"), (3, "+ then *")]
