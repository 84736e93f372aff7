"""The step `classify` as a run calls it: stored artifacts in, the tables of `labels` out."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shelf import Shelf, surroundings
from studyrun import Inputs, Result, StudyError
from studyrun_classify.classify import COLUMNS, FEATURE, run
from studyrun_classify.params import ClassifyParams

PLUGIN = str(Path(__file__).with_name("third_party_classifiers.py"))
D_SAE, N = 6, 400
STEP = pl.Struct({"expression": pl.String, "operands": pl.List(pl.Float64),
                  "operators": pl.List(pl.String), "result": pl.Float64})  # fmt: skip


def problems() -> pl.DataFrame:
    """Half of them multiply, the others add; every fifth is of the train split."""
    steps = [
        {"expression": "2*3", "operands": [2.0, 3.0], "operators": ["*"], "result": 6.0}
        if i % 2
        else {"expression": "2+3", "operands": [2.0, 3.0], "operators": ["+"], "result": 5.0}
        for i in range(N)
    ]
    return pl.DataFrame(
        {
            "id": [f"p{i}" for i in range(N)],
            "question": [f"Question {i}?" for i in range(N)],
            "split": ["train" if i % 5 == 0 else "validation" for i in range(N)],
            "steps": pl.Series([[step] for step in steps], dtype=pl.List(STEP)),
            "n_steps": pl.Series([1] * N, dtype=pl.UInt32),
        }
    )


def acts() -> Result:
    """Feature 4 knows of `*`, feature 2 of nothing, feature 0 is rare, the others are dead."""
    table, rng = problems(), np.random.default_rng(0)
    active = {4: [i for i in range(N) if i % 2], 2: sorted(rng.permutation(N)[:250]), 0: [7, 9, 11]}
    rows = [
        (problem, feature, float(rng.gamma(2.0)) + 0.1)
        for feature, problems_ in active.items()
        for problem in problems_
    ]
    schema = {"problem": pl.UInt32, "feature": pl.UInt32, "activation": pl.Float32}
    numbered = table.with_row_index("problem")
    return Result(
        tables={
            "table": pl.DataFrame(rows, schema, orient="row").sort("problem", "feature"),
            "rows": numbered.select("problem", "id", "split"),
        },
        meta={"d_sae": D_SAE, "layer": 3, "position": 1, "n": N},
    )


@pytest.fixture
def inputs(tmp_path):
    shelf = Shelf(tmp_path)
    table = shelf.put("problems", Result(tables={"table": problems()}))
    return Inputs({"problems": table, "feature-acts": shelf.put("feature-acts", acts())})


def classified(inputs: Inputs, **params) -> Result:
    params = {"concepts": ["operations"], **params}
    return run(ClassifyParams(**params), inputs, surroundings(modules=(PLUGIN,)))


def test_labels_have_one_row_per_feature_by_rank_with_all_columns(inputs):
    labels = classified(inputs).tables["table"]
    assert labels.columns[: len(FEATURE) + len(COLUMNS)] == [*FEATURE, *COLUMNS]
    assert labels["rank"].to_list() == list(range(1, D_SAE + 1))
    assert labels["feature"].to_list() == [2, 4, 0, 1, 3, 5]
    by_feature = {row["feature"]: row for row in labels.iter_rows(named=True)}
    assert by_feature[4]["label"] == "uses *"
    assert by_feature[0]["label"] == "insufficient"
    assert by_feature[2]["kind"] in ("general", "insufficient")
    assert labels.schema["n_active"] == pl.UInt32
    assert {name: labels.schema[name] for name in COLUMNS} == COLUMNS


def test_only_the_split_asked_for_is_counted(inputs):
    validation, train = classified(inputs), classified(inputs, split="train")
    assert (validation.meta["n_problems"], train.meta["n_problems"]) == (320, 80)
    assert classified(inputs, split="all").meta["n_problems"] == N
    row = validation.tables["table"].row(by_predicate=pl.col("feature") == 4, named=True)
    assert (row["n_active"], row["n_total"]) == (160, 320)
    shown = validation.tables["top_problems"]["problem"]
    assert all(problem % 5 for problem in shown)


def test_problem_numbers_are_those_of_the_problems_table(inputs):
    for row in classified(inputs).tables["top_problems"].iter_rows(named=True):
        assert row["id"] == f"p{row['problem']}"
        assert row["feature"] != 4 or row["problem"] % 2 == 1


def test_the_distribution_covers_all_ranks_or_the_ranges_asked_for(inputs):
    whole = classified(inputs).tables["distribution"]
    assert whole["ranks"].unique().to_list() == ["1-6"]
    parts = classified(inputs, ranks=["1-2", "5-6"]).tables["distribution"]
    assert parts["ranks"].unique(maintain_order=True).to_list() == ["1-2", "5-6"]
    assert parts.filter(pl.col("kind") == "operation")["n"].to_list() == [1, 0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ranks": ["1-7"]}, "ranks: 1-7 ends after rank 6, the last one: the SAE has 6 features"),
        ({"concepts": ["operations", "twice"]}, r"more than one concept is called 'uses \+'"),
        ({"concepts": ["numbers"]}, "concept 'steps' must give true or false for each of 320"),
        ({"concepts": ["unknown"]}, "concept 'odd' cannot be computed: .*no_such_column"),
        ({"classifier": "forgetful"}, "'forgetful' must give one row for each of 6 features; it "
                                      "gave 3 rows"),
        ({"classifier": "nameless"}, "classifier 'nameless' gave no column kind"),
    ],
)  # fmt: skip
def test_what_breaks_a_contract_is_named(inputs, changed, message):
    with pytest.raises(StudyError, match=message):
        classified(inputs, **changed)


def test_a_split_that_was_not_encoded_is_named(inputs, tmp_path):
    found = acts()
    rows = found.tables["rows"].filter(pl.col("split") == "train")
    only_train = Result(tables={**found.tables, "rows": rows}, meta=found.meta)
    encoded = Shelf(tmp_path / "other").put("feature-acts", only_train)
    changed = Inputs({**inputs.by_type, "feature-acts": encoded})
    with pytest.raises(StudyError, match="split 'validation' was encoded; splits encoded: train"):
        classified(changed)


def test_a_third_partys_classifier_may_say_less_and_more(inputs):
    result = classified(inputs, classifier="by-parity", concepts=["operations", "sometimes"])
    labels = result.tables["table"]
    assert labels["feature"].to_list() == [2, 4, 0, 1, 3, 5]
    assert labels["hue"].to_list() == labels["rank"].to_list()
    assert labels["q"].null_count() == D_SAE
    assert "clock" in result.tables["distribution"]["kind"].to_list()
    assert result.meta["classifier"] == "by-parity 1"


def test_the_same_inputs_give_the_same_tables(inputs):
    one, again = classified(inputs), classified(inputs)
    for name, table in one.tables.items():
        assert table.equals(again.tables[name]), name


def test_thresholds_beside_enrichment(inputs):
    """The rare feature gets the label that enrichment refuses, marked as untested."""
    labels = classified(inputs, classifier="thresholds").tables["table"]
    by_feature = {row["feature"]: row for row in labels.iter_rows(named=True)}
    rare = by_feature[0]
    assert (rare["label"], rare["n"], rare["verdict"]) == ("uses *", 3, "untested")
    assert by_feature[1]["label"] == "insufficient"
    assert labels["q"].null_count() == D_SAE
