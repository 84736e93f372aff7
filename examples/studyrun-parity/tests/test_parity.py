"""The plugin's own tests: worked examples by hand, and the laws that studyrun ships."""

from __future__ import annotations

import polars as pl
import pytest
import torch

from studyrun import Asked, Concept, Evidence, NoParams, Runs
from studyrun.testing import (
    check_law,
    check_tables,
    findings_of,
    laws_of,
    run_study,
    tiny_study,
)
from studyrun_parity.classifier import lift_ranked
from studyrun_parity.concept import parity
from studyrun_parity.effect import parity_of_answer
from studyrun_parity.intervention import clamp
from studyrun_parity.params import Clamp, EvenFeatures, LiftRanked, Parity
from studyrun_parity.section import even_features

CLASSIFIER = laws_of("lift-ranked", kind="classifier", modules=["studyrun_parity"])


@pytest.mark.parametrize("case", laws_of("clamp", modules=["studyrun_parity"]), ids=str)
def test_clamp_keeps_its_laws(case):
    check_law(case)


@pytest.mark.parametrize("case", CLASSIFIER, ids=str)
def test_lift_ranked_keeps_its_laws(case):
    check_law(case)


def test_clamp_sets_the_features_and_nothing_else():
    z = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 5.0]])
    clamped = clamp(z, torch.tensor([0, 2]), Clamp(value=7.0))
    assert clamped.tolist() == [[7.0, 1.0, 7.0], [7.0, 0.0, 7.0]]


def test_parity_of_answer_by_hand():
    """Even to odd, odd to odd, even to even, and a word that is no number before or after."""
    before, after = ["4", "7", "10", "the", "4"], ["5", "9", "12", "8", "the"]
    found = parity_of_answer(*_runs(before, after), NoParams())
    nan = float("nan")
    assert found.values["parity_changed"].tolist() == pytest.approx(
        [1, 0, 0, nan, nan], nan_ok=True
    )
    expected = pytest.approx([0, 0, 1, 1, nan], nan_ok=True)
    assert found.values["parity_even_after"].tolist() == expected


ANSWERS = pl.DataFrame({"answer": [0.0, 3.0, -4.0, 2.5, -7.0, None]})


def test_parity_of_answers():
    (even,) = parity(ANSWERS, Parity())
    assert _holds(even) == [True, False, True, False, False, False]


def test_an_answer_with_a_fraction_is_neither_even_nor_odd():
    even, odd = parity(ANSWERS, Parity(odd=True))
    assert [even.name, odd.name] == ["answer is even", "answer is odd"]
    assert _holds(odd) == [False, True, False, False, True, False]


def test_lift_ranked_by_hand():
    """10 problems; the concept holds for 5. Feature 7: 4 of 4, lift 2. Feature 8: 2 of 3."""
    labels, associations = _classified(LiftRanked(min_support=3))
    assert labels == {7: "answer is even", 8: "general", 9: "insufficient"}
    assert associations.select(
        "feature", "n_active", "n_active_with", "n_total", "n_with"
    ).rows() == [
        (7, 4, 4, 10, 5),
        (8, 3, 2, 10, 5),
    ]
    assert associations["lift"].to_list() == [2.0, pytest.approx(4 / 3)]


def test_lift_ranked_asks_for_support():
    labels, _ = _classified(LiftRanked(min_support=4))
    assert labels == {7: "answer is even", 8: "insufficient", 9: "insufficient"}


def test_lift_ranked_asks_for_lift():
    labels, _ = _classified(LiftRanked(min_support=3, min_lift=2.5))
    assert labels == {7: "general", 8: "general", 9: "insufficient"}


STEPS = """
labels: {use: classify, with: {concepts: [parity], classifier: {use: lift-ranked, with: LIFT}}}
clamped: {use: clamp, with: {value: 3.0, features: {top: 4}, EFFECTS}}
report: {use: report, with: {sections: [even-features]}}
"""
EFFECTS = "effects: [reconstruction, parity-of-answer], problems: 12"


def test_a_study_can_use_all_five(tmp_path):
    steps = STEPS.replace("LIFT", "{min_support: 1, min_lift: 1.0}").replace("EFFECTS", EFFECTS)
    run = run_study(tiny_study(tmp_path, steps), tmp_path, modules=["studyrun_parity"])
    labels, clamped = run["labels"].table, run["clamped"].table
    assert set(labels["label"]) <= {"answer is even", "general", "insufficient"}
    assert "answer is even" in labels["label"]
    assert clamped.height == 4
    assert clamped["mean_abs_diff"].min() > 0
    check_tables(run, modules=["studyrun_parity"])
    runs = run["clamped"].read_table("effects").filter(quantity="parity_changed", arm="edit")
    assert runs.height == clamped["n_run"].sum()
    assert set(runs["value"]) <= {0, 1, None}
    for row in clamped.with_row_index("edit").rows(named=True):
        mean = runs.filter(pl.col("edit") == row["edit"])["value"].mean()
        assert row["parity_changed"] == (mean if mean is None else pytest.approx(mean))
    assert "parity_changed" in run["clamped"].read_table("noise")["quantity"]
    _check_section(run)


def _check_section(run):
    """What the section says is what the step stored, and it stands in the report."""
    section = even_features(EvenFeatures(top=3), findings_of(run))
    stored = run["labels"].read_table("associations").filter(kind="parity")
    (said, table, picture) = section.blocks
    assert table.frame.height == min(3, stored.height)
    assert table.frame["lift"].max() == stored["lift"].max()
    assert said.text.startswith(f"Feature {table.frame['feature'][0]} ")
    assert picture.chart.to_dict()["mark"]["type"] == "bar"
    assert section.title in run["report"].file("report.md").read_text()


def test_the_section_has_nothing_to_say_where_nothing_asked_for_parity(tmp_path):
    run = run_study(tiny_study(tmp_path, "labels: {use: classify}"), tmp_path)
    assert even_features(EvenFeatures(), findings_of(run)) is None


def _runs(before: list[str], after: list[str]) -> tuple[Runs, Asked]:
    """Runs whose likeliest tokens are these words."""
    words, n = sorted({*before, *after}), len(before)

    def scores(texts: list[str]) -> torch.Tensor:
        return torch.eye(len(words))[[words.index(text) for text in texts]]

    runs = Runs(
        index=torch.arange(n), questions=torch.arange(n), position=3, moved=torch.ones(n),
        logits=scores(after), clean_logits=scores(before), answers=None, clean_answers=None,
        places=(), states=None, clean_states=None,
    )  # fmt: skip
    asked = Asked(
        answers=[None] * n, expected=[None] * n, targets=torch.full((n,), -1),
        answer_rule="last-number", scores=lambda states: states, token=words.__getitem__,
    )  # fmt: skip
    return runs, asked


def _holds(concept: Concept) -> list[bool]:
    return ANSWERS.select(concept.expr).to_series().to_list()


def _classified(params: LiftRanked) -> tuple[dict[int, str], pl.DataFrame]:
    active = {7: [0, 1, 2, 3], 8: [0, 5, 6]}
    pairs = [(problem, feature, 1.0) for feature in active for problem in active[feature]]
    u32 = pl.UInt32
    evidence = Evidence(
        problems=pl.DataFrame({"problem": pl.Series(range(10), dtype=u32)}),
        activations=pl.DataFrame(
            pairs, {"problem": u32, "feature": u32, "activation": pl.Float32}, orient="row"
        ),
        features=pl.DataFrame(
            [(7, 1, 4), (8, 2, 3), (9, 3, 0)],
            {"feature": u32, "rank": u32, "n_active": u32},
            orient="row",
        ),
        concepts=(Concept("answer is even", "parity", pl.lit(value=True)),),
        membership=pl.DataFrame(
            [(problem, 0) for problem in (0, 1, 2, 3, 5)],
            {"problem": u32, "concept": u32},
            orient="row",
        ),
        seed=0,
    )
    found = lift_ranked(evidence, params)
    assert found.labels["verdict"].unique().to_list() == ["untested"]
    return dict(found.labels.select("feature", "label").rows()), found.associations
