"""The tables of every step of this room: the columns told of, and numbers that can be had again."""

from pathlib import Path

import polars as pl
import pytest
from reruns import CHEAP, EVERY, OF_RUNS  # found through the line above

from studyrun.registry import Registry
from studyrun.testing import check_tables, run_study, tiny_study
from studyrun_intervene.choosing.features import feature_table
from studyrun_intervene.choosing.matching import matched_edits
from studyrun_intervene.columns import ABOUT, EFFECTS, NOISE, SUMMARY

THIRD_PARTY = str(Path(__file__).parent / "third_party_edits.py")
FEW = f"problems: 10, {CHEAP}"
STRANGE = "[counted, entropies, answer]"
ALONE = "problems: 10, controls: {random: false, elsewhere: null}"
LABELS = "classifier: {told: {concepts: {'uses +': 11, 'uses *': 20, 'uses -': 5}}}"
STEPS = f"""
labels: {{use: classify, with: {{concepts: [operations], {LABELS}, permutations: 0, matched: 0}}}}
ablation: {{use: ablate, with: {{features: all, effects: {EVERY}, {FEW}}}}}
sets: {{use: mean-ablate, with: {{features: {{sets: [[1, 2], [3]]}}, effects: [thoughts], {FEW}}}}}
unmade: {{use: amplify, with: {{factor: 1, effects: {EVERY}, {FEW}}}}}
resampled: {{use: resample-ablate, with: {{features: {{top: 1}}, {FEW}}}}}
swaps: {{use: swap, with: {{pairs: [[11, 20]], effects: {EVERY}, {FEW}}}}}
dry: {{use: swap, with: {{pairs: [[11, 20]]}}}}
patched: {{use: patch, with: {{effects: {OF_RUNS}, {FEW}}}}}
steered: {{use: steer, with: {{features: {{top: 1}}, where: [answer > 20], {FEW}}}}}
strange: {{use: ablate, with: {{features: {{top: 1}}, effects: {STRANGE}, {FEW}}}}}
uncontrolled: {{use: ablate, with: {{features: {{top: 2}}, effects: [answer], {ALONE}}}}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    return run_study(tiny_study(folder, STEPS), folder, modules=[THIRD_PARTY])


def test_every_step_stores_the_tables_that_it_tells_of(run):
    check_tables(run, modules=[THIRD_PARTY])


def test_every_step_of_the_room_is_looked_at(run):
    """Law: this study uses every built-in step that makes effects."""
    registry = Registry.load()
    steps = (registry.get("step", name) for name in registry.names("step"))
    ours = {step.name for step in steps if step.makes == "effects" and not step.serves}
    used = {step.use.ref["use"] for step in run.study.steps}
    assert ours <= used


def test_tables_that_are_told_of_have_no_other_columns(run):
    """Law: also in their order, which `SELECT *` shows."""
    registry = Registry.load([THIRD_PARTY])
    for step in run.study.steps[3:]:
        bound = registry.bind("step", step.use.ref)
        if bound.component.makes != "effects":
            continue
        for name, table in registry.tables(bound).items():
            stored = run[step.name].read_table(name).columns
            assert stored[: len(table.columns)] == list(table.columns) or table.open
            assert table.open or len(stored) == len(table.columns)


def test_the_long_tables_are_the_same_for_every_step(run):
    for name in ("ablation", "sets", "unmade", "swaps", "patched", "steered", "strange"):
        for table, told in (
            ("effects", EFFECTS),
            ("effects_by_feature", SUMMARY),
            ("noise", NOISE),
        ):
            assert run[name].read_table(table).schema == told.schema()
    assert set(ABOUT) == set(SUMMARY.columns)


def test_without_controls_nothing_is_compared(run):
    found = run["uncontrolled"]
    assert found.read_table("effects")["arm"].unique().to_list() == ["edit"]
    summary = found.read_table("effects_by_feature")
    for column in ("random_size", "random_p", "elsewhere_size", "elsewhere_q"):
        assert summary[column].null_count() == summary.height
    assert found.table["answer_changed_q"].null_count() == 2


# Law: every number of `effects_by_feature` that is a mean, from `effects`


@pytest.fixture(scope="module")
def summary(run):
    return run["ablation"].read_table("effects_by_feature")


@pytest.fixture(scope="module")
def effects(run):
    return run["ablation"].read_table("effects")


KEY = ["edit", "quantity", "place"]


def beside(summary, found):
    """The rows of the summary with what was found for them."""
    return summary.join(found, on=KEY, how="left", suffix="_found", maintain_order="left")


def agree(frame, *columns):
    """Whether columns are those found again, to rounding; null where there is nothing."""
    for column in columns:
        found, expected = (frame[name].cast(pl.Float64) for name in (column, f"{column}_found"))
        nearly = pytest.approx(expected.fill_null(-1.0).to_list(), rel=1e-9, abs=1e-12)
        assert found.fill_null(-1.0).to_list() == nearly, column


def test_means_are_those_of_the_runs(run, summary, effects):
    """n, value, size, value_all, of the edits themselves."""
    own = effects.filter(pl.col("arm") == "edit")
    problems = 10
    found = own.group_by(KEY).agg(
        n=pl.col("value").count(),
        value=pl.col("value").mean(),
        size=pl.col("value").abs().mean(),
        value_all=pl.col("value").sum() / problems,
    )
    both = beside(summary.filter(pl.col("n") > 0), found)
    agree(both, "n", "value", "size", "value_all")
    assert summary.height > 24 * 15
    assert own["edit"].n_unique() < 24  # some feature acts on none of these problems
    assert summary.filter(pl.col("n") == 0)["value"].null_count() == (
        summary.filter(pl.col("n") == 0).height
    )


def test_sizes_of_controls_are_those_of_their_runs(summary, effects):
    """random_size and elsewhere_size: on the problems on which the edit is defined, too."""
    own = effects.filter((pl.col("arm") == "edit") & pl.col("value").is_not_null())
    compared = summary.filter(pl.col("verdict").is_not_null() & (pl.col("n") > 0))
    for arm in ("random", "elsewhere"):
        there = effects.filter(pl.col("arm") == arm).join(
            own.select(*KEY, "problem"), on=[*KEY, "problem"], how="semi"
        )
        found = there.group_by(KEY).agg(pl.col("value").abs().mean().alias(f"{arm}_size"))
        agree(beside(compared, found), f"{arm}_size")


def test_matched_sizes_are_those_of_the_matched_features(run, summary):
    """matched_size and matched_n: all features are edited, so the controls are rows, too."""
    z, features = run["features"].dense("validation"), run["ablation"].table["feature"].to_list()
    rows = run["features"].rows.filter(pl.col("split") == "validation")
    active = run["features"].table.join(rows.select("problem"), on="problem", how="semi")
    matched = matched_edits(
        feature_table(active, z.shape[1], len(z), None), [(f,) for f in features], 5
    )
    sizes = {row["edit"]: row["size"] for row in summary.filter(quantity="kl").rows(named=True)}
    for row in summary.filter(quantity="kl").rows(named=True):
        others = [sizes[features.index(other)] for (other,) in matched[row["edit"]]]
        known = [size for size in others if size is not None]
        assert row["matched_n"] == (len(known) if others else 0)
        expected = sum(known) / len(known) if known else None
        assert row["matched_size"] == (expected and pytest.approx(expected))


def test_sizes_with_a_concept_are_those_of_its_problems(run, summary, effects):
    """with_size and without_size, of the features that have a label."""
    members = run["labels"].read_table("membership").rename({"concept": "of"})
    labelled = summary.filter(pl.col("concept").is_not_null() & pl.col("with_n").is_not_null())
    own = effects.filter(pl.col("arm") == "edit").join(labelled.select(*KEY, "concept"), on=KEY)
    having = members.select("problem", concept="of", has=pl.lit(value=True))
    own = own.join(having, on=["problem", "concept"], how="left")
    sides = own.with_columns(has=pl.col("has").fill_null(value=False))
    found = sides.group_by(KEY).agg(
        with_n=pl.col("value").filter("has").count(),
        with_size=pl.col("value").filter("has").abs().mean(),
        without_size=pl.col("value").filter(~pl.col("has")).abs().mean(),
    )
    assert labelled.height > 3
    agree(beside(labelled, found), "with_n", "with_size", "without_size")


def test_the_main_table_shows_what_the_summary_says(run, summary):
    """Law: mean, interval, random size, q-value and verdict of every quantity given once a run."""
    table = run["ablation"].table.with_row_index("edit")
    for quantity in summary.filter(pl.col("place") == "")["quantity"].unique():
        rows = summary.filter(pl.col("quantity") == quantity, pl.col("place") == "")
        both = rows.join(table, on="edit", suffix="_main")
        pairs = {quantity: "value"}
        if f"{quantity}_q" in table.columns:
            pairs |= {
                f"{quantity}_ci_low": "ci_low",
                f"{quantity}_ci_high": "ci_high",
                f"{quantity}_random": "random_size",
                f"{quantity}_q": "random_q",
                f"{quantity}_verdict": "verdict",
            }
        for here, there in pairs.items():
            assert both[here].equals(both[there].alias(here), null_equal=True), here
