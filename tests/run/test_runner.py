"""Running a plan: what is written, what is told, what happens when things go wrong."""

import json
import os
import time
from pathlib import Path

import polars as pl
import pytest
from toys import DOCUMENT, Lab, cell, changed, contents, damage, forget, start

from studyrun.errors import PluginError, StepFailed, StoreBusy, StudyError
from studyrun.running.history import read_record, resolve
from studyrun.store import Store

ALL = ["toy-data", "toy-draw", "toy-sum", "toy-report"]


def record(outcome):
    return read_record(outcome.folder)


def events(outcome):
    lines = (outcome.folder / "events.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def told(outcome):
    return [(event["event"], event["step"]) for event in events(outcome) if "step" in event]


def statuses(outcome, cell=""):
    steps = record(outcome)["cells"][cell]["steps"]
    return {name: entry["status"] for name, entry in steps.items()}


# What a run leaves


def test_a_run_computes_once_and_then_reuses(lab, calls):
    first, second = lab.run(), lab.run()
    assert calls() == ALL
    assert (first.status, second.status) == ("done", "done")
    assert set(statuses(first).values()) == {"done"}
    assert set(statuses(second).values()) == {"reused"}


def test_the_folder_of_a_run_holds_tables_files_report_and_record(lab):
    outcome = lab.run()
    files = {
        p.relative_to(outcome.folder).as_posix() for p in outcome.folder.rglob("*") if p.is_file()
    }
    assert files == {
        "run.json",
        "events.jsonl",
        "report.html",
        "report.md",
        "figures/f.svg",
        "files/draws/notes/a.txt",
        *(
            f"tables/{name}.parquet"
            for name in ["data", "draws", "draws_sites", "sums", "verdicts"]
        ),
    }
    assert pl.read_parquet(outcome.folder / "tables" / "sums.parquet").height == 4
    assert resolve(outcome.folder.parent / "latest") == outcome.folder.resolve()


def test_a_report_may_be_edited_without_harm_to_the_store(lab):
    outcome = lab.run()
    (outcome.folder / "report.md").write_text("my own words")
    again = lab.run()
    assert (again.folder / "report.md").read_text().startswith("toy: data 40")
    assert (outcome.folder / "report.md").read_text() == "my own words"


def test_the_record_says_everything(lab):
    outcome = lab.run()
    found = record(outcome)
    assert (found["study"], found["status"], found["seed"]) == ("toy", "done", 0)
    assert {"python", "studyrun", "polars", "torch"} <= found["versions"].keys()
    assert {"cpu", "cores", "memory_bytes", "gpus"} <= found["hardware"].keys()
    assert found["hardware"]["memory_bytes"] > 2**20
    assert found["peak_memory"]["cpu_bytes"] > 2**20
    assert {row["module"] for row in found["plugins"]} == {"toy_plugin", "studyrun.verdicts"}
    sums = found["cells"][""]["steps"]["sums"]
    assert sums["component"] == "toy-sum 1"
    assert sums["seconds"] >= 0
    assert sums["peak_memory"]["cpu_bytes"] > 2**20
    assert sums["recipe"]["with"]["k"] == 4
    assert found["cells"][""]["study"]["steps"]["draws"]["use"] == "toy-draw"
    assert len(found["cells"][""]["study_digest"]) == 64


def test_git_commit_and_dirty_flag_are_recorded(lab, tmp_path):
    import subprocess

    def git(*words):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", tmp_path, *identity, *words], check=True, capture_output=True)

    study = tmp_path / "study.yaml"
    study.write_text("study: toy\n")
    (tmp_path / ".gitignore").write_text("outputs\n")
    git("init")
    git("add", ".")
    git("commit", "-m", "a study")
    clean = record(lab.run(study_file=study))["git"]
    study.write_text("study: other\n")
    dirty = record(lab.run(study_file=study))["git"]
    assert clean == {"commit": dirty["commit"], "dirty": False}
    assert dirty["dirty"]
    assert len(clean["commit"]) == 40


def test_events_tell_the_story_in_order(lab):
    assert told(lab.run()) == [
        (what, step)
        for step in ["data", "draws", "sums", "verdicts", "report"]
        for what in ["step-started", "step-finished"]
    ]
    assert {what for what, _ in told(lab.run())} == {"step-reused"}
    first, *_, last = events(lab.run())
    assert (first["event"], last["event"], last["status"]) == (
        "run-started",
        "run-finished",
        "done",
    )


def test_the_same_seed_gives_the_same_bytes(lab, tmp_path):
    other = Lab(tmp_path / "elsewhere")
    lab.run()
    other.run()
    assert contents(lab.store.folder) == contents(other.store.folder) != {}


def test_a_matrix_has_a_folder_per_cell_and_computes_what_they_share_once(lab, calls):
    outcome = lab.run(cell("k=4", DOCUMENT), cell("k=6", changed("steps.sums.with.k", 6)))
    assert calls().count("toy-draw") == 1
    assert calls().count("toy-sum") == 2
    for name, rows in [("k=4", 4), ("k=6", 6)]:
        assert pl.read_parquet(outcome.folder / name / "tables" / "sums.parquet").height == rows
        assert (outcome.folder / name / "report.html").exists()
    assert statuses(outcome, "k=6")["draws"] == "reused"


def test_a_model_is_loaded_once_for_all_steps_and_cells(lab, calls, tmp_path):
    (tmp_path / "w").write_bytes(b"w")
    document = changed("model", {"use": "toy-model", "with": {"weights": str(tmp_path / "w")}})
    document = changed("steps.answers", {"use": "toy-ask"}, document)
    lab.run(cell("one", document), cell("two", changed("data.with.rows", 9, document)))
    assert calls().count("toy-ask") == 2
    assert calls().count("toy-model") == 1


def test_two_tables_of_one_name_are_refused_with_both_steps(lab):
    document = changed("steps.draws_sites", {"use": "toy-sum"})
    outcome = lab.run(document)
    assert outcome.status == "failed"
    assert "made by the steps 'draws' and 'draws_sites'" in str(outcome.errors[0])


# When a step fails


def test_a_failing_step_is_named_with_its_owner_and_its_traceback(lab, monkeypatch, tmp_path):
    monkeypatch.setenv("TOY_FAIL", "toy-sum")
    outcome = lab.run(lines={"sums": "toy.yaml:5:3"})
    (error,) = outcome.errors
    assert isinstance(error, StepFailed)
    assert outcome.exit_code == 1
    said = str(error).splitlines()
    assert said[0] == "step 'sums' failed: ValueError: toy-sum was told to fail"
    assert said[1].startswith("  component: toy-sum 1, of plugin ")
    assert said[1].endswith("toy_plugin.py (local)")
    assert said[2] == "  study: toy.yaml:5:3"
    file = said[3].removeprefix("  traceback: ")
    assert "in add_up" in (outcome.folder / "errors" / "sums.txt").read_text()
    assert file == str(outcome.folder / "errors" / "sums.txt")
    assert statuses(outcome) == {
        "data": "done",
        "draws": "done",
        "sums": "failed",
        "verdicts": "planned",
        "report": "planned",
    }
    assert record(outcome)["error"] == str(error)


def test_keep_going_runs_what_does_not_need_the_failed_step(lab, monkeypatch, calls):
    monkeypatch.setenv("TOY_FAIL", "toy-sum")
    document = changed("steps.more", {"use": "toy-draw", "with": {"scale": 0.1}, "needs": ["data"]})
    document["steps"]["sums"]["needs"] = ["draws"]
    outcome = lab.run(document, keep_going=True)
    assert statuses(outcome) == {
        "data": "done",
        "draws": "done",
        "sums": "failed",
        "verdicts": "blocked",
        "report": "blocked",
        "more": "done",
    }
    assert [str(error).split(" failed")[0] for error in outcome.errors] == ["step 'sums'"]
    monkeypatch.delenv("TOY_FAIL")
    assert lab.run(document).status == "done"
    assert calls().count("toy-draw") == 2


def test_a_step_that_failed_in_one_cell_is_not_tried_again_in_the_next(lab, monkeypatch, calls):
    monkeypatch.setenv("TOY_FAIL", "toy-draw")
    outcome = lab.run(cell("a", DOCUMENT), cell("b", changed("about", "b")), keep_going=True)
    assert calls().count("toy-draw") == 1
    assert statuses(outcome, "b")["draws"] == "blocked"
    assert len(outcome.errors) == 1


def test_what_cannot_be_planned_fails_before_anything_is_computed(lab, calls, tmp_path):
    document = changed("model", {"use": "toy-model", "with": {"weights": str(tmp_path / "none")}})
    document = changed("steps.answers", {"use": "toy-ask"}, document)
    (tmp_path / "none").write_bytes(b"w")
    planned = lab.plan(document)
    blocked = lab.plan(changed("data.with", {"file": str(tmp_path / "no.txt")}))
    assert {step.action for step in planned.steps} == {"run"}
    from toys import QUIET

    from studyrun.runner import Options, execute

    outcome = execute(blocked, lab.registry, lab.store, lab.out / "toy", Options(progress=QUIET))
    assert calls() == []
    assert "no.txt" in str(outcome.errors[0])
    assert isinstance(outcome.errors[0], StepFailed)


def test_a_target_that_returns_no_result_is_the_plugin_s_fault(lab):
    outcome = lab.run(changed("steps.wrong", {"use": "toy-misbehave"}))
    (error,) = outcome.errors
    assert isinstance(error, PluginError)
    assert outcome.exit_code == 3
    first, step, trace = str(error).splitlines()
    assert first.endswith("step 'toy-misbehave': returned dict, not a Result")
    assert step == "  step: wrong"
    assert "not a Result" in Path(trace.removeprefix("  traceback: ")).read_text()


def test_a_target_that_takes_something_else_is_the_plugin_s_fault(lab, monkeypatch):
    import sys

    monkeypatch.setattr(sys.modules["toy_plugin"], "draw", lambda params, inputs: None)
    (error,) = lab.run().errors
    assert isinstance(error, PluginError)
    assert "target must take (params, inputs, context): too many positional arguments" in str(error)


def test_an_observer_that_fails_is_a_warning_and_changes_nothing(lab, monkeypatch):
    asked = []

    def emit(event):
        asked.append(event["event"])
        event["event"] = "changed"
        return ["observer 'x' failed"] if len(asked) == 1 else []

    monkeypatch.setattr(lab.registry, "emit", emit)
    outcome = lab.run()
    assert outcome.status == "done"
    assert record(outcome)["warnings"] == ["observer 'x' failed"]
    assert [event["event"] for event in events(outcome)][:2] == ["run-started", "warning"]


# Damage


@pytest.mark.parametrize("step", ["data", "draws", "sums", "verdicts"])
def test_a_damaged_table_is_found_reported_and_made_again(lab, calls, step):
    lab.run()
    good, key = contents(lab.store.folder), lab.keys()[step]
    damage(lab, key)
    outcome = lab.run()
    assert outcome.status == "done"
    assert [event["key"] for event in events(outcome) if event["event"] == "damaged"] == [key]
    assert statuses(outcome)[step] == "done"
    assert record(outcome)["cells"][""]["steps"][step]["reasons"] == [
        "its stored artifact was damaged"
    ]
    assert contents(lab.store.folder) == good
    assert len(list((lab.store.folder / "quarantine").iterdir())) == 1


def test_damage_that_a_step_meets_in_its_input_is_repaired_on_the_way(lab, calls, monkeypatch):
    """Damage that appears after the input was looked at: it is repaired, and the step retried."""
    lab.run()
    import sys

    toy = sys.modules["toy_plugin"]
    original, key = toy.add_up, lab.keys()["draws"]

    def damaging(params, inputs, context):
        if not (lab.store.folder / "quarantine").exists():
            damage(lab, key)
            forget(inputs["draws"])
        return original(params, inputs, context)

    monkeypatch.setattr(toy, "add_up", damaging)
    outcome = lab.run(changed("steps.sums.with.k", 7))
    assert outcome.status == "done"
    assert calls().count("toy-draw") == 2
    assert "damaged" in {event["event"] for event in events(outcome)}
    assert lab.store.state(key) == "stored"


# Several at once, and the end of a process


RUN = """
import sys
from studyrun.running.progress import Progress
from toys import Lab, Path
outcome = Lab(Path(sys.argv[1])).run(wait=float(sys.argv[2]), progress=Progress())
print(*sorted(outcome.folder.name.split()), *[type(e).__name__ for e in outcome.errors])
sys.exit(outcome.exit_code)
"""


def test_two_processes_share_the_work_and_do_nothing_twice(lab, tmp_path):
    log = tmp_path / "log"
    both = [start(RUN, lab.out, 60, TOY_PAUSE="0.4", TOY_LOG=str(log)) for _ in range(2)]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted(log.read_text().split()) == sorted(ALL)
    assert "waiting: " in said[0][1] + said[1][1]
    undisturbed = Lab(tmp_path / "alone")
    undisturbed.run()
    assert contents(lab.store.folder) == contents(undisturbed.store.folder)


def test_who_does_not_want_to_wait_is_told_who_is_at_work(lab):
    key = lab.keys()["data"]
    with Store(lab.out / "store").lock(key):
        outcome = lab.run(wait=0.0)
    (error,) = outcome.errors
    assert isinstance(error, StoreBusy)
    assert outcome.exit_code == 4


def test_after_waiting_the_other_s_artifact_is_reused(lab, calls):
    slow = start(RUN, lab.out, 0, TOY_PAUSE="0.5", TOY_LOG=os.devnull)
    locks = lab.store.folder / "locks"
    while not locks.exists() or not list(locks.iterdir()):
        time.sleep(0.01)
    outcome = lab.run(wait=60.0)
    assert slow.wait(60) == 0
    slow.communicate()
    assert outcome.status == "done"
    assert record(outcome)["cells"][""]["steps"]["data"]["reasons"] == [
        "made by another run meanwhile"
    ]
    assert "toy-data" not in calls()


def test_an_interrupted_run_says_so_and_the_next_ends_the_same(lab, tmp_path, monkeypatch):
    import sys

    toy = sys.modules["toy_plugin"]
    with monkeypatch.context() as patch:
        patch.setattr(toy, "_called", lambda name: interrupt() if name == "toy-sum" else None)
        with pytest.raises(KeyboardInterrupt):
            lab.run()
    found = read_record(resolve(lab.out / "toy" / "latest"))
    assert found["status"] == "interrupted"
    assert found["cells"][""]["steps"]["sums"]["status"] == "interrupted"
    assert lab.reasons()["sums"] == ("the latest run was interrupted while making it",)
    lab.run()
    undisturbed = Lab(tmp_path / "alone")
    undisturbed.run()
    assert contents(lab.store.folder) == contents(undisturbed.store.folder)


def interrupt():
    raise KeyboardInterrupt


def test_a_run_that_cannot_be_written_says_where_and_what_to_do(lab):
    lab.out.parent.mkdir(parents=True, exist_ok=True)
    lab.out.write_text("a file where the folder should be")
    with pytest.raises(
        StudyError, match=r"cannot write to .*outputs.*choose another folder with --out"
    ):
        lab.run()


def test_where_links_are_not_allowed_latest_is_a_file(lab, monkeypatch):
    from pathlib import Path

    def refuse(*_args, **_kwargs):
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    outcome = lab.run()
    latest = outcome.folder.parent / "latest"
    assert latest.read_text() == f"{outcome.folder.name}\n"
    assert resolve(latest) == outcome.folder
    assert set(lab.actions().values()) == {"reuse"}
    assert (outcome.folder / "tables" / "sums.parquet").stat().st_nlink == 1
