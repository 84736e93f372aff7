"""A report in a run's folder: with what the run knows, again at its end, and never lost."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from album_plugin import STORED
from toys import DOCUMENT, PLUGIN, Lab, cell, changed

import studyrun
from studyrun.cli import main
from studyrun.registry import Registry
from studyrun.running.history import read_record, resolve

ALBUM = Path(__file__).with_name("album_plugin.py")
STUDY = changed("steps.report", {"use": "toy-album"})
STEPS = ["data", "draws", "sums", "toy-extra", "verdicts", "report"]


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path / "outputs", Registry.load([str(PLUGIN), str(ALBUM)]))


@pytest.fixture
def shows(monkeypatch, lab):
    """Puts another function in place of the plugin's; needs the plugin loaded."""
    return lambda function: monkeypatch.setattr(sys.modules["album_plugin"], "shown", function)


def page(outcome, *, cell=""):
    return json.loads((outcome.folder / cell / "report.html").read_text())


def events(outcome, kind):
    lines = (outcome.folder / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


# Wanted steps, in a run


def test_a_wanted_step_is_planned_run_recorded_and_reused(lab):
    assert lab.reasons(STUDY)["toy-extra"] == ("nothing stored yet", "report shows it")
    outcome = lab.run(STUDY)
    found = read_record(outcome.folder)["cells"][""]
    assert [*found["steps"]] == STEPS
    assert found["study"]["steps"]["toy-extra"] == {"use": "toy-extra", "with": {}}
    assert found["steps"]["toy-extra"]["reasons"] == ["nothing stored yet", "report shows it"]
    assert (outcome.folder / "tables" / "toy-extra.parquet").exists()
    assert set(lab.actions(STUDY).values()) == {"reuse"}
    assert lab.reasons(STUDY)["toy-extra"] == ("unchanged since the latest run", "report shows it")


def test_written_by_hand_it_has_the_same_keys(lab):
    steps = {**STUDY["steps"]}
    report = steps.pop("report")
    by_hand = {**STUDY, "steps": {**steps, "toy-extra": {"use": "toy-extra"}, "report": report}}
    assert lab.keys(by_hand) == lab.keys(STUDY)
    lab.run(STUDY)
    assert set(lab.actions(by_hand).values()) == {"reuse"}


def test_a_parameter_of_the_report_turns_it_off(lab):
    plain = changed("steps.report.with.extras", False, STUDY)
    assert [*lab.actions(plain)] == ["data", "draws", "sums", "verdicts", "report"]


# Shown


def test_the_page_says_how_the_run_ended(lab):
    outcome = lab.run(STUDY)
    assert page(outcome) == {
        "stored": "stored",
        "cells": [""],
        "status": "done",
        "steps": dict.fromkeys(STEPS, "done"),
    }
    assert page(lab.run(STUDY))["steps"] == dict.fromkeys(STEPS, "reused")


def test_what_is_stored_does_not_depend_on_the_run(lab):
    outcome = lab.run(STUDY)
    stored = lab.store.open(lab.keys(STUDY)["report"])
    assert {name: stored.file(name).read_bytes() for name in STORED} == STORED
    assert (outcome.folder / "figures" / "f.svg").read_bytes() == STORED["figures/f.svg"]
    assert read_record(outcome.folder)["cells"][""]["steps"].keys() == {*STEPS}


def test_every_cell_is_shown_with_its_own_steps(lab):
    outcome = lab.run(cell("a", STUDY), cell("b", changed("seed", 1, STUDY)))
    for name in ("a", "b"):
        assert page(outcome, cell=name)["cells"] == [name]
        assert page(outcome, cell=name)["status"] == "done"


def test_what_is_shown_before_the_end_is_shown_again_after_it(lab, shows):
    seen = []

    def shown(files, run, cell):
        seen.append((run["status"], run["ended"] is None))
        return {"report.json": str(len(seen)).encode()} if len(seen) == 1 else {}

    shows(shown)
    outcome = lab.run(STUDY)
    assert seen == [("running", True), ("done", False)]
    assert (outcome.folder / "report.json").read_text() == "1"


def test_a_file_that_is_shown_as_stored_again_is_written_again(lab, shows):
    given = iter([{"report.json": b"1"}, {"report.json": STORED["report.json"]}])
    shows(lambda files, run, cell: next(given))
    assert (lab.run(STUDY).folder / "report.json").read_bytes() == STORED["report.json"]


def test_a_failed_run_shows_what_it_came_to(lab):
    document = changed("steps.late", {"use": "toy-misbehave"}, STUDY)
    outcome = lab.run(document)
    assert (page(outcome)["status"], page(outcome)["steps"]["late"]) == ("failed", "failed")


def test_an_interrupted_run_shows_what_it_came_to(lab, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    lab.plan(STUDY)
    monkeypatch.setattr(sys.modules["toy_plugin"], "misbehave", interrupt)
    with pytest.raises(KeyboardInterrupt):
        lab.run(changed("steps.late", {"use": "toy-misbehave"}, STUDY))
    shown = json.loads((resolve(lab.out / "toy" / "latest") / "report.html").read_text())
    assert (shown["status"], shown["steps"]["late"]) == ("interrupted", "interrupted")


def test_without_a_report_nothing_is_asked(lab, shows, monkeypatch):
    asked = []
    shows(lambda *given: asked.append(given))
    monkeypatch.setenv("TOY_FAIL", "toy-sum")
    assert lab.run(STUDY).status == "failed"
    assert asked == []


def crash(files, run, cell):
    raise ZeroDivisionError("no page")


BROKEN = {
    "crash": (crash, "ZeroDivisionError: no page"),
    "none": (lambda files, run, cell: None, "files are NoneType, not a mapping of names to bytes"),
    "text": (lambda files, run, cell: {"a.html": "x"}, "file 'a.html' is str, not bytes"),
    "away": (
        lambda files, run, cell: {"../a": b""},
        "file name '../a' is not a plain relative path",
    ),
    "record": (lambda files, run, cell: {"run.json": b""}, "are the run's own"),
    "signature": (lambda files: {}, "TypeError"),
}


@pytest.mark.parametrize(("function", "said"), BROKEN.values(), ids=BROKEN)
def test_a_report_is_not_lost_because_showing_it_fails(lab, shows, function, said):
    """Law: the run is as good, the stored files stand there, and a warning names the plugin."""
    shows(function)
    outcome = lab.run(STUDY)
    assert (outcome.status, outcome.exit_code) == ("done", 0)
    for name, content in STORED.items():
        assert (outcome.folder / name).read_bytes() == content
    found = read_record(outcome.folder)
    (warning,) = found["warnings"]
    assert warning.startswith("the report is shown as it is stored: plugin '")
    assert "step 'toy-album': shows: " in warning
    assert said in warning
    assert [event["message"] for event in events(outcome, "warning")] == [warning]
    assert found["status"] == "done"


def test_what_fails_only_at_the_end_is_in_the_record_too(lab, shows):
    def shown(files, run, cell):
        if run["status"] == "done":
            raise ValueError("too late")
        return {"report.html": b"first"}

    shows(shown)
    outcome = lab.run(STUDY)
    assert (outcome.folder / "report.html").read_bytes() == b"first"
    (warning,) = read_record(outcome.folder)["warnings"]
    assert "too late" in warning


# The command


def write_study(folder):
    study = folder / "studies" / "toy study.yaml"
    study.parent.mkdir()
    study.write_text(json.dumps(DOCUMENT))
    return study


def test_the_record_holds_what_was_typed_and_what_to_type(tmp_path, monkeypatch):
    write_study(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["studies/toy study.yaml", "--quiet", "-p", str(PLUGIN), "--set", "seed=3"]
    assert main(words) == 0
    found = read_record(resolve(tmp_path / "outputs" / "toy" / "latest"))
    assert found["command"] == shlex.join(["studyrun", *words])
    again = ["studyrun", "studies/toy study.yaml", "--set", "seed=3", "-p", str(PLUGIN)]
    assert found["rerun"] == shlex.join(again)
    assert main(shlex.split(found["rerun"])[1:]) == 0
    second = read_record(resolve(tmp_path / "outputs" / "toy" / "latest"))
    statuses = {entry["status"] for entry in second["cells"][""]["steps"].values()}
    assert statuses == {"reused"}


def test_a_run_from_python_was_not_typed_and_can_be(tmp_path, monkeypatch):
    study = write_study(tmp_path)
    monkeypatch.chdir(study.parent)
    settings = {"seed": 3, "steps.sums.with": {"k": 6}}
    run = studyrun.run(
        study, set=settings, plugins=[str(PLUGIN)], out=tmp_path / "o", progress=False
    )
    assert run.record["command"] is None
    words = shlex.split(run.record["rerun"])
    assert words[:2] == ["studyrun", "toy study.yaml"]
    assert main([*words[1:], "--quiet"]) == 0
    second = read_record(resolve(tmp_path / "o" / "toy" / "latest"))
    assert {e["status"] for e in second["cells"][""]["steps"].values()} == {"reused"}
