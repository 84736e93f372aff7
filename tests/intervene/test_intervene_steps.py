"""Interventions as steps of a real run: the table, its labels, its evidence, and the reasons."""

from pathlib import Path

import polars as pl
import pytest

from studyrun import SiteEdit, StudyError
from studyrun.errors import InvalidStudy, StepFailed
from studyrun.testing import run_study, tiny_study
from studyrun_intervene.step import demand_same_site
from studyrun_models.codi import load
from studyrun_models.params import CodiParams
from tiny_models import PlainContext

LOUDER = "{factor: 40, features: {ranks: [1-2, 24-24]}, effects: [answer, reconstruction]}"
FIVE = "[reconstruction, {use: answer, with: {problems: 5}}]"
THIRD_PARTY = str(Path(__file__).parent / "third_party_edits.py")
STEPS = f"""
labels: {{use: classify, with: {{concepts: [operations]}}}}
ablation: {{use: ablate, with: {{features: all}}}}
louder: {{use: amplify, with: {LOUDER}}}
exchanged: {{use: swap, with: {{pairs: [[3, 0], [1, 2]], effects: {FIVE}}}}}
nothing: {{use: swap, with: {{effects: [reconstruction, answer]}}}}
trained: {{use: ablate, with: {{features: {{ids: [7]}}, split: train}}}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("intervene")
    return run_study(tiny_study(folder, STEPS), folder)


def test_every_feature_has_a_row_by_rank_with_its_label(run):
    table, labels = run["ablation"].table, run["labels"].table
    assert table["rank"].to_list() == list(range(1, 25))
    columns = ["feature", "rank", "label", "kind", "n_active"]
    expected = labels.select(columns).sort("rank")
    assert table.select(columns).equals(expected.cast(dict(table.select(columns).schema)))
    assert (table["n"] == 48).all()


def test_hypotheses_of_the_readme_can_be_asked(run):
    found = run.sql(
        "SELECT min(n_active) AS n, avg(CAST(mean_abs_diff > 0.1 AS INT)) AS share "
        "FROM ablation WHERE rank <= 10"
    )
    assert found["n"].item() >= 0
    assert 0 <= found["share"].item() <= 1


def test_ablation_is_decode_and_subtract_on_the_validation_problems(run):
    sae, z = run["sae"].load(), run["features"].dense("validation")
    for row in run["ablation"].table.rows(named=True):
        edited = z.clone()
        edited[:, row["feature"]] = 0
        difference = (sae.decode(z) - sae.decode(edited)).abs()
        assert row["mean_abs_diff"] == pytest.approx(float(difference.mean()), abs=1e-6)
        assert row["max_abs_diff"] == pytest.approx(float(difference.max()), abs=1e-5)
        assert row["n_active"] == int((z[:, row["feature"]] != 0).sum())
    assert run["ablation"].meta["split"] == "validation"


def test_the_train_split_is_measured_where_asked(run):
    (row,) = run["trained"].table.rows(named=True)
    z = run["features"].dense("train")
    assert (row["feature"], row["n_active"]) == (7, int((z[:, 7] != 0).sum()))


def test_pairs_name_both_features(run):
    table = run["exchanged"].table
    assert table.select("feature", "feature_b").rows() == [(3, 0), (1, 2)]
    z = run["features"].dense("validation")
    assert table["n_active"].to_list() == [
        int((z[:, list(pair)] != 0).any(1).sum()) for pair in ((3, 0), (1, 2))
    ]
    assert table["answer_n"].to_list() <= [5, 5]
    assert {"rank_b", "label_b", "kind_b", "mean_abs_diff", "control_mean"} <= set(table.columns)


def test_no_pair_is_an_empty_table_that_says_why(run):
    nothing = run["nothing"]
    assert nothing.table.height == 0
    assert {"feature_b", "mean_abs_diff", "answer_changed"} <= set(nothing.table.columns)
    assert "no two features carry different labels of one kind" in nothing.meta["reason"]
    events = (run.folder / "events.jsonl").read_text()
    assert "no two features carry different labels of one kind" in events
    assert run.sql("SELECT count(*) AS n FROM nothing WHERE mean_abs_diff > 0")["n"].item() == 0


def test_answers_are_the_models_under_the_same_edit(run):
    """The evidence, recomputed: x + (z' - z) W_dec at the site, greedy answers."""
    outcomes = run["louder"].read_table("answer_outcomes")
    problems, sae = run["data"].table, run["sae"].load()
    rows = run["features"].rows.with_row_index("row").filter(pl.col("split") == "validation")
    z = run["features"].dense("validation")
    context = PlainContext()
    model = load(CodiParams(checkpoint=str(run.folder.parents[2] / "model")), context)
    checked = 0
    for edit, feature in enumerate(run["louder"].table["feature"]):
        asked = outcomes.filter(pl.col("edit") == edit)
        if asked.is_empty():
            continue
        index = [rows["problem"].to_list().index(problem) for problem in asked["problem"]]
        z_edited = z[index].clone()
        z_edited[:, feature] *= 40
        delta = sae.decode(z_edited) - sae.decode(z[index])
        questions = problems["question"][asked["problem"].to_list()].to_list()
        assert asked["before"].to_list() == model.answers(questions, context)
        after = model.answers(questions, context, SiteEdit(1, 2, delta))
        assert asked["after"].to_list() == after
        checked += len(index)
    assert checked > 20
    assert (outcomes["before"] != outcomes["after"]).any()


# What is refused, and third parties


def small_study(folder, *steps, modules=()):
    return run_study(tiny_study(folder, "\n".join(steps)), folder, modules=modules)


def test_a_feature_the_sae_has_not_is_a_diagnostic(tmp_path):
    with pytest.raises(InvalidStudy, match=r"no feature 24; it has 0\.\.23"):
        small_study(tmp_path, "a: {use: ablate, with: {features: {ids: [24]}}}")


def test_features_and_pairs_are_not_mixed_up(tmp_path):
    with pytest.raises(InvalidStudy, match="pairs"):
        small_study(tmp_path, "a: {use: ablate, with: {pairs: auto}}")


def test_a_third_partys_intervention_and_effect_are_steps_like_ours(tmp_path):
    given = "{most: 0.5, features: all, effects: [counted, reconstruction]}"
    step = f"low: {{use: clamp-most, with: {given}}}"
    run = small_study(tmp_path, step, modules=[THIRD_PARTY])
    sae, z = run["sae"].load(), run["features"].dense("validation")
    for row in run["low"].table.rows(named=True):
        column = z[:, row["feature"]]
        assert row["moved"] == int((column > 0.5).sum())
        expected = (column - column.clamp(max=0.5)).mean() * sae.W_dec[row["feature"]].abs().mean()
        assert row["mean_abs_diff"] == pytest.approx(float(expected), abs=1e-6)
    assert run["low"].read_table("counted_detail")["moved"].to_list() == (
        run["low"].table["moved"].to_list()
    )


@pytest.mark.parametrize(
    ("effect", "message"),
    [
        ("short", "effect 'short' returned 1 rows for 10 edits"),
        ("taken", "effect 'taken' has a column 'rank', which is already there"),
    ],
)
def test_an_effect_that_breaks_its_contract_is_named(tmp_path, effect, message):
    with pytest.raises(StepFailed, match=message):
        small_study(
            tmp_path, f"a: {{use: ablate, with: {{effects: [{effect}]}}}}", modules=[THIRD_PARTY]
        )


def test_an_sae_and_feature_acts_of_different_sites_are_refused(run):
    """Wiring does not let a study come here; foreign files might."""
    sae, meta = run["sae"].load(), run["features"].meta
    demand_same_site(sae, meta)
    for other in ({"layer": 0}, {"position": 1}, {"d_sae": 25}):
        with pytest.raises(StudyError, match="say with `needs` which belong together"):
            demand_same_site(sae, {**meta, **other})
