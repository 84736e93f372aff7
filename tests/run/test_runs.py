"""A run as a value, from Python and from the command line."""

import json
import os
import resource
import shutil
import subprocess
import sys

import polars as pl
import pytest
import yaml
from toys import DOCUMENT, PLUGIN

import studyrun
from studyrun.errors import ArtifactDamaged, InvalidStudy, StepFailed, UsageError
from studyrun.runs import explain
from studyrun.trying.specimen import tiny_study

PLUGINS = [str(PLUGIN)]
HEAVY = {"torch", "polars", "numpy", "transformers", "scipy"}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The toy study as a file, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "toy.yaml"
    file.write_text(yaml.safe_dump(DOCUMENT, sort_keys=False))
    return file


def run(study, **options):
    return studyrun.run(study, plugins=PLUGINS, progress=False, **options)


def test_a_run_is_a_mapping_of_artifacts_in_study_order(study):
    made = run(study)
    assert list(made) == ["data", "draws", "sums", "verdicts", "report"]
    assert made["sums"].last == made["sums"].table["total"][-1]
    assert made["draws"].read_table("sites").height == 2
    assert ("draws" in made, "drows" in made, None in made) == (True, False, False)
    assert {type(artifact) for artifact in made.plain.values()} == {studyrun.Artifact}
    assert made.plain["sums"].table.equals(made["sums"].table)
    assert list(made.plain) == list(made)
    assert repr(made) == f"<Run toy {made.folder.name} done: {', '.join(made)}>"
    assert made.study.seed == 0
    assert made.failed == {}


def test_settings_are_as_on_the_command_line(study):
    made = run(study, set={"steps.sums.with.k": 6, "steps.sums.with.concept": "even"})
    assert made["sums"].table.height == 6


def test_opening_finds_the_same_run_by_any_of_its_names(study):
    made = run(study)
    for path in ["outputs/toy/latest", made.folder, made.folder / "run.json"]:
        opened = studyrun.open_run(path, plugins=PLUGINS)
        assert (opened.folder.resolve(), opened.status) == (made.folder.resolve(), "done")
        assert opened["sums"].last == made["sums"].last
    assert type(studyrun.open_run(made.folder)["sums"]) is studyrun.Artifact


def test_verdicts_are_values(study):
    verdict = run(study).verdicts["grows"]
    assert (verdict.verdict, verdict.claim) == ("supported", "The sums exceed -1000.")
    assert verdict.evidence.endswith("> -1000")
    assert run(study, set={"hypotheses": None}).verdicts == {}


def test_sql_reads_every_table_by_its_public_name(study):
    found = run(study).sql("SELECT count(*) AS n FROM draws_sites JOIN sums ON site = upto")
    assert found.equals(pl.DataFrame({"n": [2]}), null_equal=True)


def test_what_is_not_there_is_said_with_what_is(study, monkeypatch):
    made = run(study)
    with pytest.raises(KeyError, match=r"no step 'sum' among data, draws, .*; did you mean 'sums'"):
        made["sum"]
    monkeypatch.setenv("TOY_FAIL", "toy-sum")
    broken = run(study, set={"seed": 1}, keep_going=True)
    assert broken.status == "failed"
    assert list(broken) == ["data", "draws"]
    assert broken.failed["sums"].startswith("step 'sums' failed: ValueError")
    with pytest.raises(KeyError, match=r"step 'report' has no artifact: it is blocked .needs sums"):
        broken["report"]
    with pytest.raises(UsageError, match=r"no run\.json in it"):
        studyrun.open_run("outputs/toy")


def test_failures_are_raised_unless_the_run_keeps_going(study, monkeypatch):
    monkeypatch.setenv("TOY_FAIL", "toy-sum")
    with pytest.raises(StepFailed, match="step 'sums' failed"):
        run(study)
    with pytest.raises(InvalidStudy, match="unknown key"):
        run(study, set={"steps.sums.with.kk": 1})


def test_a_matrix_has_cells(study):
    study.write_text(study.read_text() + "matrix:\n  steps.sums.with.k: [3, 5]\n")
    made = run(study)
    assert list(made.cells) == ["k=3", "k=5"]
    assert [cell["sums"].table.height for cell in made.cells.values()] == [3, 5]
    verdicts = [cell.verdicts["grows"].verdict for cell in made.cells.values()]
    assert verdicts == ["inconclusive", "supported"]  # `given` asks for four sums
    assert "2 cells" in repr(made)
    with pytest.raises(KeyError, match=r"has a matrix; choose a cell: .cells\['k=3'\]"):
        made["sums"]
    one = studyrun.open_run("outputs/toy/latest/k=5", plugins=PLUGINS)
    assert (one.cell, one["sums"].table.height) == ("k=5", 5)
    assert [found.cell for found in explain(made, "draws")] == ["k=3", "k=5"]
    assert explain(made, "draws")[1].reasons == ("the same as draws in k=3",)


def test_explain_says_why(study):
    run(study)
    made = run(study, set={"steps.sums.with.k": 6})
    (sums,) = explain(made, "sums")
    assert (sums.action, sums.status, sums.reasons) == ("run", "done", ("with.k: 4 -> 6",))
    assert sums.recipe["with"]["k"] == 6
    (draws,) = explain(made, "draws")
    assert (draws.action, draws.status) == ("reuse", "reused")
    with pytest.raises(UsageError, match=r"no step 'drows'; did you mean 'draws'\? .it has data"):
        explain(made, "drows")


def test_opening_a_damaged_artifact_says_so_and_the_next_run_repairs_it(study):
    made = run(study)
    key = made["sums"].key
    file = made["sums"].folder / "table.parquet"
    file.chmod(0o644)
    file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])
    with pytest.raises(ArtifactDamaged, match="the next run of the study makes it again"):
        _ = studyrun.open_run("outputs/toy/latest")["sums"].table
    assert run(study)["sums"].key == key


def test_a_run_that_was_moved_away_from_its_store_says_what_is_missing(study, tmp_path):
    made = run(study)
    shutil.copytree(made.folder, tmp_path / "a" / "b" / "run")
    with pytest.raises(UsageError, match=r"the artifact of 'sums' is not in .*a/store; run"):
        _ = studyrun.open_run(tmp_path / "a" / "b" / "run")["sums"]


# From the command line


def command(study, *words):
    """The finished process, its CPU seconds and the heavy modules it imported."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "studyrun", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=study.parent,
        env={**os.environ, "COLUMNS": "200"},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    return done, seconds, imported & HEAVY


def test_a_second_run_is_quick_and_imports_nothing_heavy(study):
    words = [str(study), "-p", str(PLUGIN), "--quiet"]
    first, _, imported = command(study, *words)
    assert (first.returncode, "polars" in imported) == (0, True)
    second, seconds, imported = command(study, *words)
    assert second.returncode == 0
    assert imported == set()
    assert seconds < 1.5
    record = json.loads((study.parent / "outputs/toy/latest/run.json").read_text())
    statuses = {entry["status"] for entry in record["cells"][""]["steps"].values()}
    assert statuses == {"reused"}


@pytest.mark.slow
def test_a_second_run_of_the_real_plugins_is_as_quick(tmp_path):
    """No plugin may import torch to say what its parameters, files and model are."""
    steps = "labels: {use: classify}\nablation: {use: ablate}\nreport: {use: report}"
    file = tmp_path / "tiny.yaml"
    file.write_text(tiny_study(tmp_path, steps) + "runtime: {device: cpu}\n")
    first, _, imported = command(file, "tiny.yaml", "--quiet")
    assert (first.returncode, "torch" in imported) == (0, True), first.stderr[-2000:]
    second, seconds, imported = command(file, "tiny.yaml", "--quiet")
    assert (second.returncode, imported) == (0, set())
    assert seconds < 1.5


@pytest.mark.slow
def test_a_matrix_that_is_known_and_a_look_at_its_tables_import_no_torch(tmp_path):
    """Typed views of artifacts import it; whether there is one, and its tables, need no view."""
    file = tmp_path / "tiny.yaml"
    matrix = "runtime: {device: cpu}\nmatrix: {steps.report.with.title: [a, b], seed: [0, 1]}\n"
    file.write_text(tiny_study(tmp_path, "report: {use: report, with: {wants: []}}") + matrix)
    first, _, imported = command(file, "tiny.yaml", "--quiet")
    assert (first.returncode, "torch" in imported) == (0, True), first.stderr[-2000:]
    assert (tmp_path / "outputs" / "tiny" / "latest" / "report.html").exists()
    second, _, imported = command(file, "tiny.yaml", "--quiet")
    assert (second.returncode, imported) == (0, set())
    cell = next((tmp_path / "outputs" / "tiny" / "latest").glob("*=*")).name
    shown, _, imported = command(file, "show", "tiny", "sae", "--cell", cell)
    assert (shown.returncode, "torch" in imported) == (0, False)
    assert shown.stdout.startswith("sae: ")


def test_a_failing_step_ends_with_exit_code_1_and_its_place_in_the_study(study, monkeypatch):
    monkeypatch.setenv("TOY_FAIL", "toy-sum")
    done, _, _ = command(study, str(study), "-p", str(PLUGIN))
    assert done.returncode == 1
    assert "step 'sums' failed: ValueError: toy-sum was told to fail" in done.stderr
    assert "study: toy.yaml:" in done.stderr or f"study: {study}:" in done.stderr
    assert "Traceback" not in done.stderr
