"""The published figures of the investigation this project grew out of, where they are at hand."""

import json
from pathlib import Path

import polars as pl
import pytest

from studyrun_classify import associate, published_rule

SEED = Path(__file__).parents[3] / "shared" / "data" / "seed" / "published_features_k100_d512.json"
pytestmark = pytest.mark.skipif(
    not SEED.exists(), reason=f"the published figures are not at {SEED}"
)

N_VALIDATION = 1495
HOLDING = {"addition": 821, "subtraction": 681, "multiplication": 1084, "division": 701,
           "12": 405, "20": 541, "30": 328, "50": 334, "100": 256}  # fmt: skip
TYPES = {"highly-specialized": " + number ", "value-specialized": "number "}


def published(table: str) -> list[dict]:
    return json.loads(SEED.read_text())[table]["features"]


def all_published() -> list[dict]:
    tables = ("layer14_pos3_rank400-512", "layer14_pos3_rank50-200", "layer3_pos3_rank20-100")
    return [feature for table in tables for feature in published(table)]


def judged(table: str) -> pl.DataFrame:
    rows = [
        {
            "feature": feature["feature"],
            "concept": name,
            "kind": "operation" if name in feature["with_operation"] else "value",
            "n_active": feature["n_top"],
            "n_active_with": count,
            "n_total": N_VALIDATION,
            "n_with": HOLDING[name],
        }
        for feature in published(table)
        for name, count in {**feature["with_operation"], **feature["with_value"]}.items()
    ]
    return associate(pl.DataFrame(rows), alpha=0.01)


def described(feature: dict, ties: str) -> tuple[str, str]:
    """(published type, published description) by the rule."""
    found = published_rule(
        feature["with_operation"], feature["with_value"], feature["n_top"], ties=ties
    )
    words = [found.operation, found.value and f"number {found.value}"]
    return found.type, " + ".join(filter(None, words)) or "mixed patterns"


def test_all_341_published_labels_come_out_with_ties_dropped():
    features = all_published()
    assert len(features) == 341
    for feature in features:
        expected = (feature["published_type"], feature["published_description"])
        assert described(feature, "drop") == expected, feature["feature"]


def test_with_ties_kept_five_labels_change_and_multiplication_stays():
    changed = {
        feature["feature"]: described(feature, "keep")
        for feature in all_published()
        if described(feature, "keep") != described(feature, "drop")
    }
    general = ("general", "mixed patterns")
    assert changed == {332: general, 194: general, 350: general, 487: general,
                       392: ("value-specialized", "number 100")}  # fmt: skip


def test_feature_156_is_enriched_in_multiplication_and_in_nothing_else():
    found = judged("layer14_pos3_rank50-200").filter(feature=156)
    enriched = found.filter(verdict="enriched")
    assert enriched["concept"].to_list() == ["multiplication"]
    assert enriched["q"].item() < 1e-9


@pytest.mark.parametrize("feature", [332, 194, 392, 350, 487])
def test_labels_from_one_to_four_problems_are_insufficient(feature):
    found = judged("layer14_pos3_rank400-512").filter(feature=feature)
    assert found["verdict"].unique().to_list() == ["insufficient"]
    assert (found["n_needed"] > found["n_active"]).all()


@pytest.mark.parametrize(
    ("table", "enriched", "features"),
    [("layer14_pos3_rank50-200", 71, 151), ("layer3_pos3_rank20-100", 49, 81)],
)
def test_features_called_general_that_are_enriched(table, enriched, features):
    found = judged(table).group_by("feature").agg((pl.col("verdict") == "enriched").any())
    assert (found.height, found["verdict"].sum()) == (features, enriched)
