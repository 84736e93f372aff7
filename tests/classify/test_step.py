"""The step `classify` as a run calls it: stored artifacts in, the tables of `labels` out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from shelf import Shelf, surroundings
from studyrun import Inputs, Result, StudyError
from studyrun_classify.classify import run
from studyrun_classify.labels import COLUMNS, FEATURE
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
    params = {"concepts": ["operations"], "permutations": 1, "matched": 1, **params}
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
        ({"compare": ["by-parity", "forgetful"]}, "'forgetful' must give one row for each of 6"),
        ({"strata": ["colour"]}, "the problems have no column 'colour'; they have problem, id"),
        ({"compare": [{"thresholds": {"ties": "keep"}}, "thresholds"]},
         "compare: 'thresholds' would be compared with itself; name it once"),
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


# Other SAEs and other models


def sae(W_dec: np.ndarray, **meta) -> Result:
    """As much of an SAE as this step reads."""
    tensors = {"W_dec": torch.from_numpy(W_dec)}
    return Result(tensors=tensors, meta={"d_sae": D_SAE, "layer": 3, "position": 1, **meta})


def shuffled(order: np.ndarray) -> Result:
    """The activations of an SAE whose feature i is the study's feature order[i]."""
    table = acts().tables["table"]
    place = pl.Series("feature", np.argsort(order)[table["feature"].to_numpy()], dtype=pl.UInt32)
    table = table.with_columns(place)
    return replace(acts(), tables={**acts().tables, "table": table.sort("problem", "feature")})


@pytest.fixture
def others(inputs, tmp_path) -> Inputs:
    """The study with another SAE that is its own in another order, and an untrained model."""
    shelf, rng = Shelf(tmp_path / "others"), np.random.default_rng(0)
    W_dec, order = rng.normal(size=(D_SAE, 4)).astype(np.float32), np.array([3, 5, 0, 1, 4, 2])
    given = {**inputs.by_type, "sae": shelf.put("sae", sae(W_dec))}
    again = {"sae": shelf.put("sae", sae(W_dec[order])),
             "feature-acts": shelf.put("feature-acts", shuffled(order))}  # fmt: skip
    knows_nothing = {"feature-acts": shelf.put("feature-acts", nothing())}
    return Inputs(
        given, variants={"seed-1": {**given, **again}, "untrained": {**given, **knows_nothing}}
    )


def nothing() -> Result:
    """Only feature 0, on every third problem."""
    table = acts().tables["rows"].select("problem", feature=pl.lit(0, pl.UInt32),
                                         activation=pl.lit(1.0, pl.Float32))  # fmt: skip
    return replace(acts(), tables={**acts().tables, "table": table[::3]})


def test_a_shuffled_sae_is_found_again_with_all_its_labels(others):
    tables = classified(others, sae_seeds=1).tables
    found, matches = tables["table"], tables["matches"]
    assert found["stability"].to_list() == [1.0] * D_SAE
    assert found["match_cosine"].to_list() == pytest.approx([1.0] * D_SAE, abs=1e-6)
    by_feature = dict(matches.select("feature", "match").iter_rows())
    assert by_feature == {3: 0, 5: 1, 0: 2, 1: 3, 4: 4, 2: 5}
    row = matches.row(by_predicate=pl.col("feature") == 4, named=True)
    assert (row["label"], row["match_label"], row["same"]) == ("uses *", "uses *", True)
    assert row["expected"] == pytest.approx(1 / D_SAE)


def test_the_untrained_model_is_labelled_by_the_same_procedures(others):
    tables = classified(others, untrained=True, compare=["thresholds"]).tables
    rows = tables["controls"].filter(control="untrained").select("classifier", "labelled", "rate")
    assert rows.rows() == [("enrichment", 0, 0.0), ("thresholds", 0, 0.0)]
    assert tables["table"]["untrained_rate"].to_list() == [0.0] * D_SAE
    real = tables["controls"].filter(control="none")
    assert dict(real.select("classifier", "labelled").iter_rows()) == {
        "enrichment": 1, "thresholds": 2,
    }  # fmt: skip


def test_an_sae_is_never_its_own_other_seed(others):
    same = {"seed-1": {**others.variants["seed-1"], "sae": others["sae"]}}
    with pytest.raises(StudyError, match="the SAE of seed-1 is the study's own; give the study"):
        classified(replace(others, variants=same), sae_seeds=1)


def test_an_sae_of_another_site_is_refused(others, tmp_path):
    elsewhere = Shelf(tmp_path / "more").put("sae", sae(np.eye(D_SAE, 4), position=2))
    wrong = replace(others, by_type={**others.by_type, "sae": elsewhere})
    with pytest.raises(StudyError, match=r"\[3, 2, 6\], the feature activations \[3, 1, 6\]"):
        classified(wrong, sae_seeds=1)


def test_a_third_partys_classifier_is_controlled_and_compared_like_any_other(inputs):
    tables = classified(inputs, classifier="by-parity", compare=["enrichment"]).tables
    rates = tables["controls"].filter(classifier="by-parity")["rate"].to_list()
    assert rates == [1.0, 1.0, 1.0]
    assert tables["table"]["permuted_rate"].to_list() == [1.0] * D_SAE
    assert tables["table"].columns[-1] == "hue"
    assert tables["agreement"]["both_labelled"].to_list() == [1]


def test_classifiers_of_one_name_are_told_apart_by_their_parameters(inputs):
    kept = {"thresholds": {"ties": "keep", "top": 9}}
    result = classified(inputs, classifier=kept, compare=["enrichment", "thresholds"])
    names = result.tables["compared"]["classifier"].unique(maintain_order=True).to_list()
    assert names == ["thresholds (top=9)", "enrichment", "thresholds (top=100)"]
    assert result.meta["classifier"] == "thresholds (top=9) 1"
    assert result.meta["compared"] == names[1:]
