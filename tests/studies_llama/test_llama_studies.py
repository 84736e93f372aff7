"""The studies of `studies/llama32_1b`: accepted without a checkpoint, run with a tiny one."""

import json
import re
from collections import Counter
from itertools import product
from pathlib import Path

import huggingface_hub.constants
import pytest
from llama_world import FILES, FOLDER, write_world

import studyrun
from studyrun.cli import main
from studyrun.errors import InvalidStudy
from studyrun.reading.checking import check_study
from studyrun.running.preparation import prepare

SHARED = Path(__file__).parents[3] / "shared" / "data" / "seed"
STORIES = [file for file in FILES if file.stem != "base"]
QUICK = {
    "runtime.threads": 1,
    "steps.sae.with.epochs": 1,
    "steps.labels.with.permutations": 1,
    "steps.labels.with.matched": 1,
    "steps.report.with.pages": False,
    "steps.report.with.wants": [],
}
SMALLER = {
    "interventions": {
        f"steps.{step}.with.{name}": value
        for step in ("ablation", "together")
        for name, value in {"problems": 3, "controls.matched": 2}.items()
    },
    "k_sweep": {"matrix": {"steps.sae.with.k": [50, 300]}},
    "grid": {
        "matrix": {
            "steps.sae.with.layer": [3, 15],
            "steps.sae.with.position": [0, 5],
            "steps.sae.with.k": [75],
        }
    },
    "grid_small": {
        "matrix": {"steps.sae.with.layer": [14], "steps.sae.with.position": [3]},
    },
}
PATHS_OF_ABSENT = ("model.with.checkpoint", "model.with.base", "data.with.hub")
VERDICTS = {"supported", "refuted", "inconclusive"}
REASONS = {"given is false", "expect is false", "expect is true", ""}


@pytest.fixture
def nothing_downloaded(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("studyrun_data.digests.find_spec", lambda name: None)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_study_without_its_checkpoint_is_right_and_what_it_lacks_is_told(
    file, nothing_downloaded
):
    checked = check_study(file)
    assert checked.cells is not None
    assert [(each.path, each.code, each.severity) for each in checked.diagnostics] == [
        ("$.model.with.checkpoint", "absent", "warning"),
        ("$.model.with.base", "absent", "warning"),
        ("$.data.with.hub", "absent", "warning"),
    ]


def test_the_plan_blocks_what_needs_what_is_absent_and_says_how_to_get_it(nothing_downloaded):
    planned = prepare(FOLDER / "ranks.yaml").plan
    steps = {step.name: step for step in planned.steps}
    assert planned.count("blocked") == len(planned.steps)
    assert "pip install" in steps["data"].reasons[0]
    for name in ("activations", "activations@untrained"):
        assert "`hf download zen-E/CODI-llama3.2-1b-Instruct" in steps[name].reasons[-1]


def test_a_run_tells_all_that_is_absent_before_it_begins(nothing_downloaded, tmp_path, capsys):
    out = tmp_path / "outputs"
    assert main(["run", str(FOLDER / "base.yaml"), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert [f"$.{path}: " in said for path in PATHS_OF_ABSENT] == [True, True, True]
    assert "warning" not in said
    assert not out.exists()
    with pytest.raises(InvalidStudy) as refused:
        studyrun.run(FOLDER / "base.yaml", out=out, progress=False)
    assert [each.severity for each in refused.value.diagnostics] == ["error"] * 3
    assert not out.exists()


def test_what_is_absent_hides_no_fault(nothing_downloaded):
    found = check_study(FOLDER / "base.yaml", ["steps.sae.with.k=600"])
    assert found.cells is None
    assert [each.path for each in found.diagnostics if each.severity == "error"] == [
        "$.steps.sae.with.k"
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    return folder / "outputs", write_world(folder, 64)


@pytest.mark.parametrize("file", STORIES, ids=lambda file: file.stem)
def test_a_study_runs_on_a_checkpoint_and_every_hypothesis_is_judged(file, world):
    out, there = world
    settings = there | QUICK | SMALLER.get(file.stem, {})
    run = studyrun.run(file, set=settings, out=out, progress=False)
    written = _named(check_study(file).cells[0])
    for cell in run.cells.values():
        assert list(cell.verdicts) == written
        assert {each.verdict for each in cell.verdicts.values()} <= VERDICTS
        assert {each.reason for each in cell.verdicts.values()} <= REASONS


def test_the_grid_is_whole_and_extracts_once():
    cells = [
        cell
        for name in ("grid", "grid_small")
        for cell in check_study(FOLDER / f"{name}.yaml").cells
    ]
    steps = [{step.name: step.use.given for step in cell.steps} for cell in cells]
    axes = ("layer", "position", "k", "d_sae")
    trained = Counter(tuple(step["sae"][axis] for axis in axes) for step in steps)
    shapes = [(50, 512), (75, 512), (100, 512), (200, 512), (300, 512), (50, 250)]
    sites = product(range(16), range(6))
    assert trained == Counter((*site, *shape) for site, shape in product(sites, shapes))
    assert len({json.dumps(step["activations"]) for step in steps}) == 1


def _named(cell):
    return [each.name for each in cell.hypotheses]


# What was published


@pytest.fixture
def published():
    if not SHARED.is_dir():
        pytest.skip("the published figures are not beside this checkout (../shared/data/seed)")
    return json.loads((SHARED / "published_features_k100_d512.json").read_text())


def test_the_split_is_the_published_one(published):
    ours = json.loads((FOLDER / "validation_indices.json").read_text())
    assert ours == json.loads((SHARED / "validation_indices.json").read_text())


def test_the_readme_says_what_was_published(published):
    readme = re.sub(r"\s+", " ", (FOLDER / "README.md").read_text())
    ranks = {name: part["features"] for name, part in published.items() if "features" in part}
    frequent = ranks["layer14_pos3_rank1-20_taxonomy"]
    (patterns,) = {tuple(each["published_patterns"]) for each in frequent}
    mixed = sum(each["published_type"] == "mixed" for each in frequent)
    rare = ranks["layer14_pos3_rank400-512"]
    ((a, b),) = published["layer14_pos3_rank400-512"]["swap_pairs"]
    of = {each["feature"]: each["published_description"] for each in rare}
    active = [each["n_top"] for each in rare if each["published_type"] != "general"]
    validation = published["validation_layer14_pos3"]
    general = [each["mean_impact"] for each in validation["general_features"]]
    special = [each["mean_impact"] for each in validation["specialized_features"]]
    (middle,) = _special(ranks["layer14_pos3_rank50-200"])
    for said in (
        f"{mixed} of {len(frequent)} are `mixed`, each with the same {len(patterns)} patterns",
        f"1 of {len(ranks['layer14_pos3_rank50-200'])} is specialised: {middle['feature']}, "
        f"{middle['published_description']}",
        f"{len(_special(rare))} of {len(rare)} are specialised, active in {min(active)} to "
        f"{max(active)} problems each",
        f"{len(_special(ranks['layer3_pos3_rank20-100']))} of "
        f"{len(ranks['layer3_pos3_rank20-100'])} are specialised",
        f"{a} ({of[a]}) with {b} ({of[b]})",
        f"above 0.1 for {sum(each > 0.1 for each in general)} of {len(general)} "
        f"({min(general):.4f} to {max(general):.4f})",
        f"mean \\|diff\\| of {len(special)}: at most {max(special):.7f}",
    ):
        assert said in readme


def _special(features):
    return [each for each in features if each["published_type"] != "general"]


def test_the_readme_names_every_study_and_every_hypothesis():
    readme = (FOLDER / "README.md").read_text()
    for file in FILES:
        assert f"[{file.name}]({file.name})" in readme
        for name in _named(check_study(file).cells[0]):
            assert f"`{name}`" in readme
