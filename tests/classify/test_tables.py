"""A whole study with every control and comparison: its tables, and their page in the docs."""

import re
from pathlib import Path

import polars as pl
import pytest

from studyrun.testing import run_study, tiny_study
from studyrun_classify import distribution, labels, occurrences
from studyrun_classify.classifiers import enrichment
from studyrun_classify.controls import agreement, rates, stability, swap_pairs

PAGE = (Path(__file__).parents[2] / "docs/reference/tables.md").read_text()
SCHEMAS = {
    "labels": labels.SCHEMA,
    "labels_agreement": agreement.AGREEMENT,
    "labels_associations": enrichment.ASSOCIATIONS,
    "labels_compared": agreement.COMPARED,
    "labels_controls": rates.SCHEMA,
    "labels_distribution": distribution.SCHEMA,
    "labels_matches": stability.SCHEMA,
    "labels_occurrences": occurrences.SCHEMA,
    "labels_swap_pairs": swap_pairs.SCHEMA,
}
LABELS = """
concepts: [operations], compare: [{thresholds: {top: 30}}, {thresholds: {top: 31}}],
permutations: 3, matched: 2, untrained: true, sae_seeds: 2
"""
STEPS = f"""
labels: {{use: classify, with: {{{" ".join(LABELS.split())}}}}}
plain: {{use: classify, with: {{concepts: [operations], permutations: 0, matched: 0, top: 0}}}}
swaps: {{use: swap, needs: [labels]}}
"""
D_SAE = 24
OPERATORS = pl.element().struct.field("operators")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classify")
    return run_study(tiny_study(folder, STEPS, problems=400), folder)


def documented():
    """Table -> column -> type, as the page has them."""
    sections = re.split(r"^## (\w+)$", PAGE, flags=re.MULTILINE)[1:]
    return {
        table: dict(re.findall(r"^\| `(\w+)` \| ([\w()]+) \| .+ \|$", text, flags=re.MULTILINE))
        for table, text in zip(sections[::2], sections[1::2], strict=True)
    }


def types(schema):
    return {name: str(dtype) for name, dtype in schema.items()}


def test_the_page_documents_every_column_of_every_schema():
    page = documented()
    for table, schema in SCHEMAS.items():
        assert list(page[table].items()) == list(types(schema).items()), table


@pytest.mark.parametrize("step", ["labels", "plain"])
def test_a_run_has_exactly_the_tables_of_the_page(run, step):
    """Also where nothing was asked for: then they are empty, and have their columns."""
    names = [f"labels_{name}" if name != "table" else "labels" for name in run[step].table_names]
    assert sorted(names) == sorted(documented())
    for table, columns in documented().items():
        name = table.removeprefix("labels_") if table != "labels" else "table"
        found = types(run[step].read_table(name).schema)
        assert list(found.items())[: len(columns)] == list(columns.items()), table
        assert len(found) == len(columns), table


def test_what_was_not_asked_for_is_empty_or_null(run):
    plain = run["plain"]
    for name in ("agreement", "matches", "top_problems"):
        assert plain.read_table(name).is_empty()
    assert plain.read_table("controls")["control"].to_list() == ["none"]
    assert plain.read_table("compared")["classifier"].unique().to_list() == ["enrichment"]
    measured = plain.table.select(*labels.MEASURED)
    assert measured.drop("top_problems").null_count().row(0) == (D_SAE,) * 5
    assert measured["top_problems"].to_list() == [[]] * D_SAE


def test_every_classifier_is_beside_every_control(run):
    names = ["enrichment", "thresholds (top=30)", "thresholds (top=31)"]
    table = run["labels"].read_table("controls")
    assert table.select("classifier", "control", "runs", "features").rows() == [
        (name, control, runs, D_SAE)
        for name in names
        for control, runs in (("none", 1), ("permuted", 3), ("matched", 2), ("untrained", 1))
    ]
    pairs = run["labels"].read_table("agreement").select("classifier", "other").rows()
    assert pairs == [(names[0], names[1]), (names[0], names[2]), (names[1], names[2])]
    compared = run["labels"].read_table("compared")
    assert compared.group_by("classifier", maintain_order=True).len().rows() == [
        (name, D_SAE) for name in names
    ]
    assert run["labels"].meta["compared"] == names[1:]


def test_the_first_classifier_is_the_table_and_the_others_change_nothing(run):
    main, alone = run["labels"].table, run["plain"].table
    said = [*labels.FEATURE, *labels.COLUMNS]
    assert main.select(said).equals(alone.select(said))
    first = run["labels"].read_table("compared").filter(classifier="enrichment")
    assert first.drop("classifier").equals(main.select(first.drop("classifier").columns))


def test_rates_of_features_and_rates_of_controls_are_of_the_same_runs(run):
    main = run["labels"].table
    table = run["labels"].read_table("controls").filter(classifier="enrichment")
    overall = dict(table.select("control", "rate").iter_rows())
    assert overall["none"] == pytest.approx(labelled(main))
    assert overall["permuted"] == pytest.approx(main["permuted_rate"].mean())
    assert overall["matched"] == pytest.approx(main["matched_rate"].mean())
    assert main["untrained_rate"].to_list() == pytest.approx([overall["untrained"]] * D_SAE)


def labelled(table):
    return (
        table.select(~pl.col("kind").is_in(["general", "insufficient"]).cast(pl.Boolean))
        .mean()
        .item()
    )


def test_other_seeds_are_other_saes_whose_features_are_matched(run):
    table, main = run["labels"].read_table("matches"), run["labels"].table
    assert table["variant"].to_list() == ["seed-1"] * D_SAE + ["seed-2"] * D_SAE
    assert 0.2 < table["cosine"].min() < table["cosine"].max() < 0.9999
    assert table["match"].is_between(0, D_SAE - 1).all()
    assert (table["same"] == (table["label"] == table["match_label"])).all()
    means = table.group_by("feature").agg(pl.col("cosine", "same").mean())
    both = main.join(means, on="feature")
    assert both["match_cosine"].to_list() == pytest.approx(both["cosine"].to_list())
    assert both["stability"].to_list() == pytest.approx(both["same"].to_list())


def test_the_labels_name_their_top_problems(run):
    top = run["labels"].read_table("top_problems")
    for feature, ids in run["labels"].table.select("feature", "top_problems").iter_rows():
        assert ids == top.filter(feature=feature).sort("place")["id"].to_list()


def test_every_membership_has_its_occurrences(run):
    """Where a problem uses an operation some step does, and no step of any other."""
    table = run["labels"].read_table("occurrences")
    held = run["labels"].read_table("membership")
    assert table.join(held, on=held.columns, how="semi").drop("steps").equals(held)
    operators = run["data"].table.select(used=pl.col("steps").list.eval(OPERATORS))["used"]
    assert table.height
    for problem, concept, steps in table.iter_rows():
        used = operators[problem].to_list()
        assert steps == [i for i, each in enumerate(used) if concept.split()[1] in each]


def test_occurrences_are_of_every_encoded_problem_whatever_its_split(run):
    """Samples of features are of any split."""
    table = run["labels"].read_table("occurrences")
    encoded = run["features"].read_table("rows")
    operators = run["data"].table.select(used=pl.col("steps").list.eval(OPERATORS))["used"]
    for concept in table["concept"].unique():
        expected = [
            problem
            for problem in encoded["problem"].to_list()
            if any(concept.split()[1] in each for each in operators[problem].to_list())
        ]
        assert table.filter(concept=concept)["problem"].to_list() == expected
    splits = table.join(encoded, on="problem")["split"].unique()
    assert {*splits} == {*encoded["split"]}


def test_swaps_are_those_of_the_table_or_say_what_it_says(run):
    labels_, swaps = run["labels"], run["swaps"]
    testable = labels_.read_table("swap_pairs").filter("testable").head(10)
    pairs = testable.select("feature_a", "feature_b").rows()
    assert swaps.table.select("feature", "feature_b").rows() == pairs
    if not pairs:
        assert labels_.meta["swap_pairs"] in swaps.meta["reason"]


def test_the_tables_can_be_asked_in_sql(run):
    found = run.sql(
        "SELECT l.feature, c.rate FROM labels l JOIN labels_controls c ON c.control = 'permuted' "
        "WHERE c.classifier = 'enrichment' AND l.permuted_rate <= 1"
    )
    assert found.height == D_SAE


def test_another_run_gives_the_same_bytes(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("again")
    again = run_study(tiny_study(folder, STEPS, problems=400), folder)
    assert again["labels"].key == run["labels"].key
    assert again["labels"].manifest.files == run["labels"].manifest.files
