"""Which edits are made: features by rank or number, pairs from labels, and matched controls."""

import polars as pl
import pytest
import torch
from edit_cases import activations_table, sparse  # found through the line above

from shelf import Shelf
from studyrun import CheckScope, Result, StudyError
from studyrun.registry import Registry
from studyrun_classify.kinds import is_labelled
from studyrun_intervene.checks import check_features, check_pairs, check_patch, check_steer
from studyrun_intervene.choosing.choice import (
    PairChoice,
    auto_pairs,
    chosen_features,
    chosen_pairs,
    label_pairs,
    named_edits,
)
from studyrun_intervene.choosing.features import feature_table
from studyrun_intervene.choosing.matching import matched_edits
from studyrun_intervene.params import EditFeatures, EditPairs, FeatureChoice, Patch, Steer


def features_of(*rows):
    """A feature table of (rank, label, kind) rows; a label is that of the concept of its name."""
    frame = pl.DataFrame(
        [(number, *row) for number, row in enumerate(rows)],
        {"feature": pl.UInt32, "rank": pl.UInt32, "label": pl.String, "kind": pl.String},
        orient="row",
    )
    return frame.with_columns(concept=pl.when(is_labelled()).then("label"))


RANKED = features_of(*((rank, None, None) for rank in (3, 1, 5, 2, 4)))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("all", [1, 3, 0, 4, 2]),
        (FeatureChoice(top=2), [1, 3]),
        (FeatureChoice(ranks=["1-1", "4-5"]), [1, 4, 2]),
        (FeatureChoice(ids=[4, 0]), [4, 0]),
    ],
    ids=str,
)
def test_features_are_chosen_by_rank_or_as_named(choice, expected):
    assert chosen_features(RANKED, choice) == [(feature,) for feature in expected]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (FeatureChoice(sets=[[4, 0], [2]]), [(4, 0), (2,)]),
        (FeatureChoice(sets=[[4, 0], [2, 0]], together=True), [(4, 0, 2)]),
        (FeatureChoice(ranks=["1-1", "4-5"], together=True), [(1, 4, 2)]),
        (FeatureChoice(top=3, together=True), [(1, 3, 0)]),
        (FeatureChoice(ids=[4], together=True), [(4,)]),
    ],
    ids=str,
)
def test_sets_are_edited_at_once(choice, expected):
    """By `sets`, or all that are chosen `together`, each feature once."""
    assert chosen_features(RANKED, choice) == expected


def test_a_feature_that_the_sae_has_not_is_refused():
    with pytest.raises(StudyError, match=r"no feature 5; it has 0\.\.4"):
        chosen_features(RANKED, FeatureChoice(ids=[1, 5]))
    with pytest.raises(StudyError, match=r"no feature 9; it has 0\.\.4"):
        chosen_features(RANKED, FeatureChoice(sets=[[1, 2], [3, 9]]))


def test_ranks_and_pairs_that_do_not_exist_are_refused():
    with pytest.raises(StudyError, match="the last is 5"):
        chosen_features(RANKED, FeatureChoice(ranks=["6-9"]))
    with pytest.raises(StudyError, match="no feature 7"):
        named_edits(RANKED, [[0, 1], [7, 1]])
    assert named_edits(RANKED, [[4, 1]]) == [(4, 1)]


def test_pairs_join_different_labels_of_one_kind():
    features = features_of(
        (1, "general", "general"),
        (2, "contains 50", "value"),
        (3, "uses +", "operation"),
        (4, "contains 12", "value"),
        (5, "contains 50", "value"),  # the label's second feature
        (6, "uses *", "operation"),
        (7, "contains 7", "value"),
        (8, "* then +", "pattern"),  # alone of its kind
        (9, None, "insufficient"),
    )
    assert label_pairs(features, 10) == [(1, 3), (2, 5), (1, 6), (3, 6)]
    assert label_pairs(features, 2) == [(1, 3), (2, 5)]


def test_no_labels_no_pairs():
    assert label_pairs(RANKED, 10) == []
    assert label_pairs(features_of((1, "a", "general"), (2, "b", "general")), 10) == []


def labels_with(folder, pairs, said):
    """A `labels` artifact with that table of swap pairs."""
    table = pl.DataFrame(
        pairs,
        {"feature_a": pl.UInt32, "feature_b": pl.UInt32, "testable": pl.Boolean},
        orient="row",
    )
    tables = {"table": RANKED} if pairs is None else {"table": RANKED, "swap_pairs": table}
    return Shelf(folder).put("labels", Result(tables=tables, meta={"swap_pairs": said}))


LABELLED = features_of((1, "uses +", "operation"), (2, "uses *", "operation"))
SIX = features_of(
    (2, "uses +", "operation"),
    (1, "uses *", "operation"),
    (3, "uses *", "operation"),
    (4, "general", "general"),
    (5, None, None),
    (6, "uses +", "operation"),
)


def named(*pairs):
    return chosen_pairs(None, SIX, EditPairs(pairs=list(pairs)))


def test_pairs_by_number_have_the_concepts_of_their_labels():
    found = named([3, 1], [4, 0])
    assert found.edits == [(3, 1), (4, 0)]
    assert found.concepts == ((None, "uses *"), (None, "uses +"))
    assert (found.missing, found.reason) == ((), "")


def test_pairs_by_concept_are_of_the_most_frequent_features():
    found = named(["uses +", "uses *"], ["uses *", 5])
    assert found.edits == [(0, 1), (1, 5)]
    assert found.concepts == (("uses +", "uses *"), ("uses *", "uses +"))


def test_concepts_that_no_feature_stands_for_are_missing():
    """`general` is the name of a kind, and no concept."""
    found = named(["uses +", "uses -"], [0, 1], ["general", "uses *"])
    assert found.edits == [(0, 1)]
    assert found.missing == (("uses +", "uses -"), ("general", "uses *"))


def test_a_pair_with_a_feature_that_the_sae_has_not_is_refused():
    with pytest.raises(StudyError, match=r"no feature 6; it has 0\.\.5"):
        named(["uses +", 6])


def test_automatic_pairs_are_the_first_testable_ones_of_the_labels(tmp_path):
    pairs = [(7, 3, True), (5, 1, True), (0, 1, False), (2, 4, True)]
    labels = labels_with(tmp_path, pairs, "3 of 4")
    features = features_of(*((rank, f"contains {rank}", "value") for rank in range(1, 9)))
    found = auto_pairs(labels, features, 9)
    assert found.edits == [(7, 3), (5, 1), (2, 4)]
    assert found.concepts[0] == ("contains 8", "contains 4")
    assert auto_pairs(labels, features, 2).edits == [(7, 3), (5, 1)]
    every = auto_pairs(labels, features, 3, untestable=True)
    assert every.edits == [(7, 3), (5, 1), (0, 1)]


def test_without_a_testable_pair_the_labels_say_why(tmp_path):
    few = auto_pairs(labels_with(tmp_path, [(0, 1, False)], "0 of 1 can be tested"), LABELLED, 9)
    assert few.edits == []
    assert few.reason.startswith("0 of 1 can be tested; name pairs yourself")
    none = auto_pairs(labels_with(tmp_path, [], "1 feature is labelled"), LABELLED, 9)
    assert none.reason.startswith(
        "no two features carry different labels of one kind (1 feature is labelled); name"
    )


def test_labels_that_say_nothing_of_swaps_are_paired_by_rank(tmp_path):
    for labels in (None, labels_with(tmp_path, None, "")):
        found = PairChoice([(0, 1)], concepts=(("uses +", "uses *"),))
        assert auto_pairs(labels, LABELLED, 9) == found
        assert "no two features carry" in auto_pairs(labels, RANKED, 9).reason


def test_ranks_are_by_frequency_unless_labels_say_otherwise():
    z = torch.tensor([[1.0, 0, 2, 0], [1, 0, 0, 0], [3, 0, -4, 0]])
    own = feature_table(activations_table(z), 4, 3, None)
    assert own["rank"].to_list() == [1, 3, 2, 4]
    assert own["n_active"].to_list() == [3, 0, 2, 0]
    assert own["mean_abs_activation"].to_list() == pytest.approx([5 / 3, 0, 2, 0])
    assert own["mean_abs_when_active"].to_list() == pytest.approx([5 / 3, None, 3, None])
    labels = features_of((2, "b", "value"), (1, "a", "value"), (3, "c", "x"), (4, None, "y"))
    named = feature_table(activations_table(z), 4, 3, labels)
    assert named["rank"].to_list() == [2, 1, 3, 4]
    assert named["label"].to_list() == ["b", "a", "c", None]
    assert named["n_active"].to_list() == [3, 0, 2, 0]
    assert named["concept"].to_list() == ["b", "a", "c", None]


# Controls


def columns_with(*n_and_size):
    """z with, per feature, so many active rows of that size."""
    rows = max(n for n, _ in n_and_size)
    columns = [[size] * n + [0.0] * (rows - n) for n, size in n_and_size]
    return torch.tensor(columns).T


def table_of(z):
    return feature_table(activations_table(z), z.shape[1], len(z), None)


def test_matched_features_are_alike_in_frequency_and_strength():
    features = table_of(columns_with((50, 2.0), (48, 2.1), (50, 9.0), (2, 2.0), (45, 2.0)))
    assert matched_edits(features, [(0,)], 2) == (((1,), (4,)),)
    assert matched_edits(features, [(2,)], 9) == (((1,), (0,), (4,), (3,)),)


def test_an_edited_feature_is_no_control_and_no_pair_is_of_one_feature():
    features = table_of(sparse(30, 8))
    edits = [(0, 5), (3, 1)]
    for edit, controls in zip(edits, matched_edits(features, edits, 4), strict=True):
        assert len(controls) == 4
        for control in controls:
            assert len(set(control)) == 2
            assert not set(control) & set(edit)


def test_what_is_never_active_has_no_match_and_is_none():
    z = sparse(30, 5)
    z[:, 1] = 0
    first, dead = matched_edits(table_of(z), [(0,), (1,)], 10)
    assert (1,) not in first
    assert len(first) == 3
    assert dead == ()


# What `check` says before anything runs


def scope(**params):
    bound = Registry.load().bind("step", {"use": "sae-train", "with": params})
    return CheckScope(steps={"sae": bound})


@pytest.mark.parametrize(
    ("params", "path", "message"),
    [
        ({"features": FeatureChoice()}, ("features",), "say one of top, ranks, ids, sets"),
        ({"features": FeatureChoice(top=1, ids=[2])}, ("features",), "this says top and ids"),
        ({"features": FeatureChoice(ranks=["9-3"])}, ("features", "ranks", 0), "write 3-9"),
        ({"features": FeatureChoice(ranks=["1-99"])}, ("features", "ranks", 0), "64 ranks"),
        ({"features": FeatureChoice(top=65)}, ("features", "top"), "has 64 features"),
        ({"features": FeatureChoice(ids=[0, 64])}, ("features", "ids", 1), "no feature 64"),
        (
            {"features": FeatureChoice(sets=[[1], [0, 64]])},
            ("features", "sets", 1, 1),
            "no feature 64",
        ),
        ({"effects": ["answer", {"use": "answer"}]}, ("effects", 1), "stands here twice"),
    ],
)
def test_faults_of_feature_steps(params, path, message):
    (fault,) = check_features(EditFeatures(**params), scope(d_sae=64))
    assert fault.path == path
    assert message in fault.message


@pytest.mark.parametrize(
    ("pairs", "path", "message"),
    [
        ([[1, 2], [3, 3]], ("pairs", 1), "paired with itself"),
        ([[1, 64]], ("pairs", 0, 1), "no feature 64"),
        ([["uses +", 64]], ("pairs", 0, 1), "no feature 64"),
        ([[1, 2], ["uses +", "uses +"]], ("pairs", 1), "paired with itself"),
    ],
)
def test_faults_of_pair_steps(pairs, path, message):
    (fault,) = check_pairs(EditPairs(pairs=pairs), scope(d_sae=64))
    assert fault.path == path
    assert message in fault.message


def test_what_is_right_has_no_faults():
    assert not list(check_features(EditFeatures(), scope()))
    assert not list(check_features(EditFeatures(features="all"), CheckScope()))
    assert not list(check_pairs(EditPairs(), scope()))
    assert not list(check_pairs(EditPairs(pairs=[[0, 511]]), scope()))
    assert not list(check_pairs(EditPairs(pairs=[["uses +", "uses *"], ["uses +", 3]]), scope()))


def extracted(**params):
    """A scope with the activations of some sites."""
    bound = Registry.load().bind("step", {"use": "extract", "with": params})
    return CheckScope(steps={"activations": bound})


@pytest.mark.parametrize(
    ("params", "path", "message"),
    [
        ({"positions": [3, 5]}, ("positions", 1), "position 5 is not extracted"),
        ({"layers": [1]}, ("layers", 0), "layer 1 is not extracted"),
        ({"effects": ["answer", "reconstruction"]}, ("effects", 1), "no SAE has a part in"),
        ({"effects": ["answer", {"answer": {}}]}, ("effects", 1), "stands here twice"),
        ({"same": ["answer"]}, ("differ", 1), "'answer' is also what shall be the same"),
    ],
)
def test_faults_of_patching(params, path, message):
    (fault,) = check_patch(Patch(**params), extracted(layers=[0, 2], positions=[1, 3]))
    assert fault.path == path
    assert message in fault.message
    if path[0] in ("layers", "positions"):
        assert fault.allowed == (("0", "2") if path[0] == "layers" else ("1", "3"))


@pytest.mark.parametrize(
    ("params", "path", "message"),
    [
        ({}, (), "say in which direction, with `features` or `where`"),
        ({"features": FeatureChoice(ids=[64])}, ("features", "ids", 0), "no feature 64"),
        ({"where": ["answer > 3"], "effects": ["reconstruction"]}, ("effects", 0), "no SAE"),
    ],
)
def test_faults_of_steering(params, path, message):
    (fault,) = check_steer(Steer(**params), scope(d_sae=64))
    assert fault.path == path
    assert message in fault.message


def test_what_is_right_of_patching_and_steering_has_no_faults():
    sites = extracted(layers=[0, 2], positions=[1, 3])
    assert not list(check_patch(Patch(layers=[2], positions=[1, 3]), sites))
    assert not list(check_patch(Patch(positions=[9]), CheckScope()))
    assert not list(check_steer(Steer(features=FeatureChoice(top=3)), scope(d_sae=64)))
    assert not list(check_steer(Steer(where=["answer > 3"]), scope()))
