"""The published figures of the investigation this project grew out of, where they are at hand."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import published as data
import published_page as page
import pytest
from planted import World

from studyrun_classify import associate
from studyrun_classify.classifiers.thresholds import classify
from studyrun_classify.params import ThresholdParams

pytestmark = pytest.mark.skipif(
    not data.DATA.is_dir(), reason=f"the published figures are not at {data.DATA}"
)
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "published-labels.md"
GENERAL = ("general", "mixed patterns")
RARE = "layer14_pos3_rank400-512"
CHANGED = {
    (RARE, 332): GENERAL,
    (RARE, 194): GENERAL,
    (RARE, 392): ("value-specialized", "number 100"),
    (RARE, 350): GENERAL,
    (RARE, 487): GENERAL,
}
"""What `ties: keep` makes of the labels that owe themselves to dropped ties."""


@pytest.fixture(scope="module")
def realised():
    """Problems and activations with exactly the published counts, and the features in order.

    Each feature has top problems of its own; those with a hundred are also active, more weakly, on
    ten others that have every concept.
    """
    features = data.all_features()
    n_top = np.array([feature["n_top"] for feature in features])
    first = np.cumsum(n_top) - n_top
    world = World(int(n_top.sum()) + 10)
    everywhere = np.arange(world.n_problems - 10, world.n_problems)
    for name in (*data.OPERATIONS, *map(str, data.VALUES)):
        group = "with_operation" if name in data.OPERATIONS else "with_value"
        holds = np.zeros(world.n_problems, dtype=bool)
        holds[everywhere] = True
        for start, feature in zip(first, features, strict=True):
            holds[start : start + feature[group][name]] = True
        world.concept(name, holds, group.removeprefix("with_"))
    for start, n in zip(first, n_top, strict=True):
        weaker = everywhere[: 10 if n == 100 else 0]
        strength = np.r_[np.full(n, 2.0), np.full(len(weaker), 1.0)]
        world.feature(np.r_[start : start + n, weaker], strength)
    return world.evidence(), features


def said(row):
    """(published type, published description) of a row of the component's labels."""
    names = [name if name in data.OPERATIONS else f"number {name}"
             for name in row["label"].split(" and ")]  # fmt: skip
    named = row["published_type"] != "general"
    return row["published_type"], " + ".join(names) if named else "mixed patterns"


def test_all_341_published_labels_come_out_of_the_published_counts_with_ties_dropped():
    features = data.all_features()
    assert len(features) == 341
    for feature in features:
        expected = (feature["published_type"], feature["published_description"])
        assert data.described(feature, "drop") == expected, feature["feature"]


def test_with_ties_kept_five_labels_change_and_multiplication_stays():
    changed = {
        (feature["table"], feature["feature"]): data.described(feature, "keep")
        for feature in data.all_features()
        if data.described(feature, "keep") != data.described(feature, "drop")
    }
    assert changed == CHANGED


def test_the_component_counts_what_was_published(realised):
    """On problems that realise the published counts, the top 100 among others."""
    evidence, features = realised
    found = classify(evidence, ThresholdParams()).associations.sort("feature", maintain_order=True)
    for feature, rows in zip(features, found.partition_by("feature"), strict=True):
        counts = {**feature["with_operation"], **feature["with_value"]}
        assert dict(rows.select("concept", "n_active_with").iter_rows()) == counts
        assert set(rows["n_active"]) == {feature["n_top"]}


@pytest.mark.parametrize("ties", ["drop", "keep"])
def test_the_component_gives_the_published_labels_with_ties_dropped_and_five_others_kept(
    realised, ties
):
    evidence, features = realised
    labels = classify(evidence, ThresholdParams(ties=ties)).labels.sort("feature")
    assert labels["verdict"].unique().to_list() == ["untested"]
    for feature, row in zip(features, labels.iter_rows(named=True), strict=True):
        expected = (feature["published_type"], feature["published_description"])
        if ties == "keep":
            expected = CHANGED.get((feature["table"], feature["feature"]), expected)
        assert said(row) == expected, feature["feature"]


def test_base_counts_are_those_of_the_validation_problems():
    """As the publication counted, in the text of the calculations, and as numbers beside it."""
    assert data.problems().height == data.N
    assert data.base("substrings") == {
        "addition": 821, "subtraction": 681, "multiplication": 1084, "division": 701,
        "12": 405, "20": 541, "30": 328, "50": 334, "100": 256,
    }  # fmt: skip
    assert data.base("parsed") == {
        "addition": 821, "subtraction": 680, "multiplication": 1084, "division": 701,
        "12": 267, "20": 331, "30": 251, "50": 171, "100": 200,
    }  # fmt: skip


def test_trap_c2_what_is_parsed_is_in_the_text_and_the_rest_is_in_other_numbers():
    text, parsed = data.holds("substrings"), data.holds("parsed")
    for name in data.base("parsed"):
        assert (text[name] | ~parsed[name]).all(), name
    others = dict(data.most_frequent_false(50, n=100))
    assert (others["150"], others["500"]) == (56, 32)
    assert "50" not in others
    (sign,) = data.problems().filter(text["subtraction"] & ~parsed["subtraction"])["text"]
    assert sign == "-18/-2=9"


def test_feature_156_is_enriched_in_multiplication_and_in_nothing_else():
    found = data.enriched(data.published_counts("layer14_pos3_rank50-200")).filter(feature=156)
    assert found["concept"].to_list() == ["multiplication"]
    assert found["q"].item() < 1e-9


@pytest.mark.parametrize("feature", [332, 194, 392, 350, 487])
def test_labels_from_one_to_four_problems_are_insufficient(feature):
    counts = data.published_counts(RARE)
    found = associate(counts, alpha=data.ALPHA).filter(feature=feature)
    assert found["verdict"].unique().to_list() == ["insufficient"]
    assert (found["n_needed"] > found["n_active"]).all()


def test_trap_c3_one_of_the_six_specialised_features_is_enriched():
    special = {feature["feature"] for feature in data.specialised()}
    assert special == {156, 332, 194, 392, 350, 487}
    enriched = [
        feature
        for table in data.TABLES
        for feature in data.enriched(data.published_counts(table)).filter(
            pl.col("type") != "general"
        )["feature"]
    ]
    assert enriched == [156]


@pytest.mark.parametrize(
    ("table", "features", "enriched", "called_general"),
    [
        ("layer14_pos3_rank50-200", 151, 71, 70),
        ("layer14_pos3_rank400-512", 109, 0, 0),
        ("layer3_pos3_rank20-100", 81, 49, 49),
    ],
)
def test_features_that_are_enriched_and_how_many_of_them_were_called_general(
    table, features, enriched, called_general
):
    counts = data.published_counts(table)
    assert counts["feature"].n_unique() == features
    assert data.n_enriched(counts) == enriched
    assert data.n_enriched(counts, type="general") == called_general


@pytest.mark.parametrize(
    ("table", "least", "most"),
    [("layer14_pos3_rank50-200", 38, 127), ("layer14_pos3_rank400-512", 0, 8),
     ("layer3_pos3_rank20-100", 34, 67)],
)  # fmt: skip
def test_as_parsed_the_enriched_features_are_bounded_by_the_counts_as_text(table, least, most):
    lower, upper = data.bounded(table, "at least"), data.bounded(table, "at most")
    assert (data.n_enriched(lower), data.n_enriched(upper)) == (least, most)
    assert data.n_enriched(lower, kind="value") == 0


def test_whatever_is_true_between_the_bounds_what_is_enriched_lies_between_theirs():
    """Law: fewer false problems never make a pair less enriched, nor another one."""
    table = "layer14_pos3_rank50-200"
    lower, upper = data.bounded(table, "at least"), data.bounded(table, "at most")
    least, most = (set(data.enriched(end)["feature"]) for end in (lower, upper))
    rng = np.random.default_rng(0)
    for _ in range(3):
        between = rng.integers(lower["n_active_with"], upper["n_active_with"], endpoint=True)
        found = set(data.enriched(lower.with_columns(n_active_with=between))["feature"])
        assert least <= found <= most


def test_where_the_problems_are_known_their_counts_lie_between_the_bounds():
    text, parsed = data.recounted("substrings"), data.recounted("parsed")
    assert parsed["concept"].to_list() == text["concept"].to_list()
    false = parsed["concept"].replace_strict(data.false_hits())
    assert (parsed["n_active_with"] <= text["n_active_with"]).all()
    assert (parsed["n_active_with"] >= text["n_active_with"] - false).all()
    assert (data.n_enriched(text), data.n_enriched(parsed)) == (1, 3)


def test_the_page_has_the_tables_and_sentences_that_are_computed():
    text = PAGE.read_text()
    for table in page.tables():
        assert table in text
    flat = " ".join(text.split())
    for sentence in page.sentences():
        assert sentence in flat


def test_the_page_has_no_other_figures():
    flat = " ".join(line for line in PAGE.read_text().splitlines() if not line.startswith("|"))
    flat = " ".join(flat.split())
    for sentence in page.sentences():
        flat = flat.replace(sentence, "")
    found = re.findall(r"(?<![\w.])[\d,]*\d(?:\.\d+)?(?!\w)", flat)
    assert sorted(set(found)) == sorted(page.GIVEN)
