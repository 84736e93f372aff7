"""Both steps in whole studies: the tables told of, the page that documents them, the estimates."""

import re
from pathlib import Path

import polars as pl
import pytest

from studyrun import CheckScope, ModelFacts
from studyrun.registry import Registry
from studyrun.testing import check_tables, run_study, tiny_study
from studyrun_features import estimate
from studyrun_features.columns import coactivation, portraits
from studyrun_features.params import Coactivation, Portraits

PAGE = (Path(__file__).parents[2] / "docs/reference/feature-tables.md").read_text()
STEPS = """
portraits: {use: portraits}
coactivation: {use: coactivation, with: {min_active: 2, permutations: 1}}
few: {use: coactivation}
unseen: {use: portraits, with: {split: train, tokens: 0, neighbours: 0, top: 0, samples: 0}}
"""
TOLD = {"portraits": portraits(Portraits()), "coactivation": coactivation(Coactivation())}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    return run_study(tiny_study(folder, STEPS), folder)


def test_both_steps_store_the_tables_that_they_tell_of(run):
    check_tables(run)


def test_the_page_documents_every_column():
    """Law: with its type, in order, and no other."""
    sections = re.split(r"^## (\w+)$", PAGE, flags=re.MULTILINE)[1:]
    page = {
        table: re.findall(r"^\| `(\w+)` \| ([\w()]+) \| .+ \|$", text, flags=re.MULTILINE)
        for table, text in zip(sections[::2], sections[1::2], strict=True)
    }
    told = {
        step if name == "table" else f"{step}_{name}": list(table.columns.items())
        for step, tables in TOLD.items()
        for name, table in tables.items()
    }
    assert page == told


def test_counts_are_those_of_the_encoded_problems(run):
    table, acts = run["portraits"].table, run["features"].table
    counted = acts.group_by("feature").len("n_active").cast({"n_active": pl.UInt32})
    expected = table.select("feature").join(counted, on="feature", how="left").fill_null(0)
    assert table["n_active"].to_list() == expected.sort("feature")["n_active"].to_list()
    assert table["n_total"].unique().to_list() == [96]
    assert run["portraits"].read_table("histogram")["n"].sum() == acts.height


def test_directions_are_those_of_the_sae_and_tokens_those_of_the_model(run):
    W_dec = run["sae"].load().W_dec
    neighbours = run["portraits"].read_table("neighbours")
    cosines = W_dec @ W_dec.T / W_dec.norm(dim=1) / W_dec.norm(dim=1)[:, None]
    first = neighbours.filter(place=1)
    found = cosines[first["feature"].to_list(), first["neighbour"].to_list()]
    assert found.tolist() == pytest.approx(first["cosine"].to_list(), abs=1e-5)
    assert (cosines - cosines.diag().diag()).max(dim=1).values.tolist() == pytest.approx(
        run["portraits"].table["max_cosine"].to_list(), abs=1e-5
    )
    tokens = run["portraits"].read_table("tokens")
    assert tokens.height == 24 * 2 * 5
    assert tokens["token"].str.len_chars().min() > 0


def test_what_was_not_asked_for_has_no_rows(run):
    unseen = run["unseen"]
    for name in ("samples", "neighbours", "tokens"):
        assert unseen.read_table(name).is_empty()
    assert unseen.table["max_cosine"].null_count() == 0


def test_pairs_of_few_problems_are_tested_where_that_is_asked_for(run):
    assert run["coactivation"].meta["pairs"] > 0
    assert run["coactivation"].read_table("controls").height == 2


def scope(**params):
    registry = Registry.load()
    sae = registry.bind("step", {"use": "sae-train", "with": params})
    return CheckScope(ModelFacts("m", "", 4, 100), {"sae": sae}, {"sae": "sae"})


def test_estimates_count_directions_and_pairs():
    wide = scope(d_sae=1000, k=4)
    assert estimate.portraits(Portraits(), wide).flops == 1000**2 * (2 * 100 + 400)
    assert "at most 499,500 pairs, 6 times" in estimate.coactivation(Coactivation(), wide).note
    few = estimate.coactivation(Coactivation(features=10, permutations=0), wide)
    assert few.note == "at most 45 pairs, 1 times"
    assert estimate.portraits(Portraits(), CheckScope()) is None
    assert estimate.coactivation(Coactivation(), CheckScope()) is None


def test_strata_that_are_no_columns_are_faults_before_anything_runs(tmp_path):
    from studyrun.errors import InvalidStudy

    text = tiny_study(tmp_path, "pairs: {use: coactivation, with: {strata: [n_step]}}")
    with pytest.raises(InvalidStudy, match="the problems have no column 'n_step'"):
        run_study(text, tmp_path)
