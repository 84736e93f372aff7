"""What components tell of their tables is what they store."""

import json
import subprocess
import sys

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import PLUGIN

import studyrun
from studyrun import Table
from studyrun.cli import main
from studyrun.registry import Registry
from studyrun.testing import check_tables, run_study, tiny_study
from studyrun.trying.told import bound_steps
from tiny_models import PlainContext

REGISTRY = Registry.load()
TELLING = str(PLUGIN.with_name("telling_plugin.py"))
STEPS = """
labels: {use: classify, with: {concepts: [operations], permutations: 1, matched: 1, sae_seeds: 1}}
shares: {use: classify, with: {classifier: thresholds, concepts: [operations], compare: [probe]}}
levels: {use: classify, with: {classifier: {taxonomy: {top: 9}}, concepts: [operations]}}
probed: {use: classify, with: {classifier: {use: probe}, concepts: [operations], top: 0}}
again: {use: sae-train-abstopk, with: {d_sae: 8, k: 2, epochs: 1}}
ablation: {use: ablate, needs: [labels]}
swaps: {use: swap, needs: [labels]}
"""
HYPOTHESES = """\
hypotheses:
  labelled:
    claim: There are labels.
    expect: SELECT count(*) > 0 FROM labels
"""
GSM8K = '{"question": "2 and 3?", "answer": "2+3=<<2+3=5>>5\\\\n#### 5"}\n' * 4


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("told")
    return run_study(tiny_study(folder, STEPS) + HYPOTHESES, folder)


def test_every_stored_table_of_a_built_in_step_has_exactly_the_told_columns(run):
    """Law: of a step that tells of its tables, each is told, with all of its columns in order."""
    told = set()
    for step, bound in bound_steps(run, REGISTRY):
        if not bound.component.tables:
            continue
        told.add(step)
        artifact, tables = run[step], REGISTRY.tables(bound)
        assert sorted(tables) == sorted(artifact.table_names), step
        for name, table in tables.items():
            stored = artifact.read_table(name).schema
            assert [(c, str(dtype)) for c, dtype in stored.items()] == [*table.columns.items()]
            assert stored == table.schema()
            assert not table.open
    assert told >= {"data", "activations", "sae", "features", "labels", "levels", "verdicts"}
    check_tables(run)


@pytest.mark.parametrize(
    ("name", "given_"),
    [
        ("word-problems", {"problems": 12}),
        ("word-problems", {"problems": 12, "contrast_operations": ["+", "-"]}),
        ("word-problems", {"problems": 12, "contrast_values": [3, 5]}),
        ("gsm8k", {"path": "train.jsonl"}),
    ],
)
def test_every_data_set_tells_its_columns(name, given_, tmp_path):
    (tmp_path / "train.jsonl").write_text(GSM8K)
    bound = REGISTRY.bind("data", {"use": name, "with": given_}, tmp_path)
    made = bound.load()(bound.params, PlainContext()).tables
    tables = REGISTRY.tables(bound)
    assert sorted(tables) == sorted(made)
    for table, each in tables.items():
        assert made[table].schema == each.schema()


def test_a_classifier_of_another_plugin_may_add_columns():
    bound = REGISTRY.bind("step", {"use": "classify", "with": {"classifier": "enrichment"}})
    params = bound.component.params(classifier={"mine": {}})
    told = REGISTRY.function(bound.component, bound.component.tables)(params)
    assert told["table"].open
    assert "associations" not in told
    assert not told["controls"].open


def test_what_a_step_stores_otherwise_than_it_tells_is_found(tmp_path, monkeypatch):
    run = run_study(
        "study: s\ndata: {use: told-data}\nsteps: {numbers: {use: told}}\n",
        tmp_path,
        modules=[TELLING],
    )
    check_tables(run, modules=[TELLING])
    wrong = {
        "table": Table({"x": "Float32", "name": "String", "gone": "UInt32"}),
        "other": Table({}),
    }
    monkeypatch.setattr("telling_plugin.tables", lambda params: wrong)
    with pytest.raises(AssertionError) as caught:
        check_tables(run, modules=[TELLING])
    assert str(caught.value).splitlines()[4:] == [
        "numbers: table 'table' has 'x' as Float64, not as Float32",
        "numbers: table 'table' has no column 'gone', of which the step tells",
        "numbers: table 'table' has a column 'n', of which the step does not tell",
        "numbers: tells of the table 'other', and stored none",
    ]


TYPES = st.recursive(
    st.sampled_from(
        [
            *(pl.Boolean(), pl.Int8(), pl.UInt32(), pl.Float64(), pl.String(), pl.Date()),
            *(pl.Datetime("ms"), pl.Datetime("us", "UTC"), pl.Duration("ns"), pl.Decimal(10, 2)),
            *(pl.Categorical(), pl.Enum(["a", "b c"]), pl.Null(), pl.Binary(), pl.Time()),
        ]
    ),
    lambda inner: st.one_of(
        inner.map(pl.List),
        inner.map(lambda each: pl.Array(each, 3)),
        st.dictionaries(st.sampled_from(["a", "b c", "d'e"]), inner, min_size=1).map(pl.Struct),
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.text(max_size=4), TYPES, max_size=3))
def test_the_types_are_those_that_polars_writes(columns):
    """Law: the schema of `{name: str(dtype)}` is `{name: dtype}`."""
    table = Table({name: str(dtype) for name, dtype in columns.items()})
    assert table.schema() == pl.Schema(columns)


@pytest.mark.parametrize(
    "text", ["Float65", "", "1", "List(Nothing)", "DataFrame", "__import__('os')", "String; x", "("]
)
def test_what_is_no_type_of_polars_is_refused(text):
    with pytest.raises(ValueError, match="is no type of polars"):
        Table({"x": text}).schema()


def test_a_component_is_described_with_its_tables(capsys):
    assert main(["describe", "sae-encode"]) == 0
    text = capsys.readouterr().out
    assert "\ntables\n  <step>\n      problem, feature, activation\n  <step>_rows\n" in text
    assert main(["describe", "told-openly", "-p", TELLING]) == 0
    assert "tables\n  <step>\n      x, name, n, ...\n" in capsys.readouterr().out
    assert main(["describe", "jsonl", "--format", "json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["tables"]["data_malformed"] == {
        "columns": {"id": "String", "place": "String", "text": "String", "reason": "String"},
        "open": False,
    }
    assert main(["describe", "told-data", "-p", TELLING, "--format", "markdown"]) == 0
    assert "\n- `data`: `x`, `name`, `n`\n" in capsys.readouterr().out


def test_a_component_that_tells_nothing_or_nonsense_is_described_without():
    from studyrun.plugging.describe import tables

    registry = Registry.load([TELLING])
    told = {each.name: tables(registry, each) for each in registry.components("step")}
    assert told["told-raising"] == {}
    assert [*told["told-badly"]] == ["<step>"]


def test_telling_and_estimating_import_nothing_heavy():
    """Law: no `tables` and no `estimate` imports polars or torch."""
    code = (
        "import sys; from studyrun.registry import Registry; from studyrun import CheckScope\n"
        "registry = Registry.load()\n"
        "for each in registry.components():\n"
        "    for role in (each.tables, each.estimate):\n"
        "        role and registry.function(each, role)\n"
        "print(sorted({'torch', 'polars', 'numpy', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_there():
    assert {"Table", "Estimate"} <= set(studyrun.__all__)
