"""Interventions as steps of a real run: the table, its labels, its evidence, and the reasons."""

from pathlib import Path

import pytest
from reruns import CHEAP, EVERY, Again, norm, values_of  # found through the line above

from studyrun import StudyError
from studyrun.errors import InvalidStudy, StepFailed
from studyrun.testing import run_study, tiny_study
from studyrun_intervene.surroundings import demand_same_site

FEW = f"problems: 10, {CHEAP}"
LOUDER = f"{{factor: 40, features: {{ranks: [1-2, 24-24]}}, effects: {EVERY}, {FEW}}}"
THIRD_PARTY = str(Path(__file__).parent / "third_party_edits.py")
STEPS = f"""
everything: {{use: ablate, with: {{features: all, effects: {EVERY}, {FEW}}}}}
louder: {{use: amplify, with: {LOUDER}}}
exchanged: {{use: swap, with: {{pairs: [[3, 0], [1, 2]], effects: {EVERY}, problems: 5, {CHEAP}}}}}
labels: {{use: classify, with: {{concepts: [operations], permutations: 0, matched: 0}}}}
ablation: {{use: ablate, with: {{features: all}}}}
nothing: {{use: swap, with: {{effects: {EVERY}}}}}
trained: {{use: ablate, with: {{features: {{ids: [7]}}, split: train}}}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("intervene")
    return run_study(tiny_study(folder, STEPS), folder)


@pytest.fixture(scope="module")
def again(run):
    return Again(run)


def test_every_feature_has_a_row_by_rank_with_its_label(run):
    table, labels = run["ablation"].table, run["labels"].table
    assert table["rank"].to_list() == list(range(1, 25))
    columns = ["feature", "rank", "label", "kind", "n_active"]
    expected = labels.select(columns).sort("rank")
    assert table.select(columns).equals(expected.cast(dict(table.select(columns).schema)))
    assert (table["n"] == 48).all()
    assert table["features"].to_list() == [[feature] for feature in table["feature"]]
    assert (table["scale"] == 1).all()


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
    assert table["features"].to_list() == [[3, 0], [1, 2]]
    z = run["features"].dense("validation")
    assert table["n_active"].to_list() == [
        int((z[:, list(pair)] != 0).any(1).sum()) for pair in ((3, 0), (1, 2))
    ]
    assert max(table["n_run"]) <= 5
    assert {"rank_b", "label_b", "kind_b", "mean_abs_diff", "control_mean"} <= set(table.columns)


def test_no_pair_is_an_empty_table_that_says_why(run):
    nothing = run["nothing"]
    assert nothing.table.height == 0
    assert {"feature_b", "mean_abs_diff", "answer_changed"} <= set(nothing.table.columns)
    assert "no two features carry different labels of one kind" in nothing.meta["reason"]
    events = (run.folder / "events.jsonl").read_text()
    assert "no two features carry different labels of one kind" in events
    assert run.sql("SELECT count(*) AS n FROM nothing WHERE mean_abs_diff > 0")["n"].item() == 0
    assert nothing.read_table("answer_outcomes").is_empty()
    assert nothing.read_table("protocol").is_empty()


# What the model does


def test_at_most_so_many_problems_are_run_the_same_for_all_edits(run, again):
    """Law: of the split, drawn by the seed; those on which the edit changes something."""
    runs = values_of(run["everything"], "moved")
    drawn = sorted({problem for _, problem in runs})
    assert len(drawn) <= 10
    assert set(drawn) <= set(again.row)
    assert {problem for _, problem in values_of(run["louder"], "moved")} <= set(drawn)
    z = again.of(drawn)
    for edit, row in enumerate(run["everything"].table.rows(named=True)):
        column = z[:, row["feature"]].tolist()
        acting = [problem for problem, value in zip(drawn, column, strict=True) if value]
        assert sorted(problem for number, problem in runs if number == edit) == acting
        assert row["n_run"] == len(acting)


def test_answers_after_ablation_are_those_of_a_full_run(run, again):
    """Law: x + (z' - z) W_dec at the site, and one position on; greedy answers."""

    def delta(edit, problems):
        z = again.of(problems)
        edited = z.clone()
        edited[:, run["everything"].table["feature"][edit]] = 0
        return again.difference(z, edited)

    assert again.check("everything", delta) > 40
    found = values_of(run["everything"], "moved")
    for edit in range(3):
        problems = [problem for number, problem in found if number == edit]
        expected = norm(delta(edit, problems)) / norm(again.x(problems))
        assert [found[edit, p] for p in problems] == pytest.approx(expected.tolist(), rel=1e-4)


def test_answers_after_amplification_are_those_of_a_full_run(run, again):
    def delta(edit, problems):
        z = again.of(problems)
        edited = z.clone()
        edited[:, run["louder"].table["feature"][edit]] *= 40
        return again.difference(z, edited)

    assert again.check("louder", delta) > 10
    outcomes = run["louder"].read_table("answer_outcomes")
    assert (outcomes["before"] != outcomes["after"]).any()


def test_answers_after_a_swap_are_those_of_a_full_run(run, again):
    def delta(edit, problems):
        z = again.of(problems)
        edited, pair = z.clone(), list(run["exchanged"].table["features"][edit])
        edited[:, pair] = z[:, pair[::-1]]
        return again.difference(z, edited)

    assert again.check("exchanged", delta) > 2


def test_random_directions_move_the_residual_as_far(run):
    """Law: |x' - x| of the control is that of the edit, on the same problems."""
    own, random = (values_of(run["everything"], "moved", arm) for arm in ("edit", "random"))
    assert own.keys() == random.keys()
    assert list(random.values()) == pytest.approx(list(own.values()), rel=1e-4)
    assert values_of(run["everything"], "kl") != values_of(run["everything"], "kl", "random")


def test_a_second_run_reuses_everything(run):
    text = (run.folder.parents[2] / "study.yaml").read_text()
    second = run_study(text, run.folder.parents[2])
    steps = second.record["cells"][""]["steps"].values()
    assert {step["status"] for step in steps} == {"reused"}


# What is refused, and third parties


def small_study(folder, *steps, modules=()):
    return run_study(tiny_study(folder, "\n".join(steps)), folder, modules=modules)


def test_a_feature_the_sae_has_not_is_a_diagnostic(tmp_path):
    with pytest.raises(InvalidStudy, match=r"no feature 24; it has 0\.\.23"):
        small_study(tmp_path, "a: {use: ablate, with: {features: {ids: [24]}}}")


def test_features_and_pairs_are_not_mixed_up(tmp_path):
    with pytest.raises(InvalidStudy, match="pairs"):
        small_study(tmp_path, "a: {use: ablate, with: {pairs: auto}}")


def test_a_third_partys_intervention_and_effects_are_steps_like_ours(tmp_path):
    given = f"most: 0.5, features: all, effects: [counted, entropies, reconstruction], {FEW}"
    step = f"low: {{use: clamp-most, with: {{{given}, scales: [1, 0.5]}}}}"
    run = small_study(tmp_path, step, modules=[THIRD_PARTY])
    sae, z, low = run["sae"].load(), run["features"].dense("validation"), run["low"]
    for row in low.table.rows(named=True):
        column = z[:, row["feature"]]
        assert row["touched"] == int((column > 0.5).sum())
        less = row["scale"] * (column - column.clamp(max=0.5)).mean()
        expected = less * sae.W_dec[row["feature"]].abs().mean()
        assert row["mean_abs_diff"] == pytest.approx(float(expected), abs=1e-6)
    detail = low.read_table("counted_detail")
    assert detail["edit"].to_list() == list(range(48))  # of both scales, numbered on
    assert detail["touched"].to_list() == low.table["touched"].to_list()
    columns = set(low.table.columns)
    assert {"entropy", "entropy_change", "entropy_change_ci_low", "entropy_change_q"} <= columns
    assert "entropy_q" not in columns  # a fact is not compared
    outcomes = low.read_table("entropies_outcomes")
    assert outcomes.columns[-1] == "best"
    assert outcomes["best"].null_count() == 0
    assert "entropy_change" in low.read_table("noise")["quantity"]


@pytest.mark.parametrize(
    ("effect", "message"),
    [
        ("short", "effect 'short' returned 1 rows for 10 edits"),
        ("taken", "effect 'taken' has a column 'rank', which is already there"),
        ("silent", r"effect 'silent' announces \['said'\] and returned \[\]"),
        ("ranked", "effect 'ranked' has a column 'n_active', which is already there"),
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
