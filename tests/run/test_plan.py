"""The plan: run, reuse or blocked, and why, down to the parameter; reading only."""

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from toys import DOCUMENT, PLUGIN, cell, changed

from strategies import json_objects
from studyrun.keys import key_of
from studyrun.running.history import History
from studyrun.running.reasons import differences

FRESH = ("nothing stored yet",)


def test_on_an_empty_store_everything_runs_and_nothing_is_touched(lab):
    assert lab.reasons() == dict.fromkeys(["data", "draws", "sums", "verdicts", "report"], FRESH)
    assert set(lab.actions().values()) == {"run"}
    assert not lab.out.exists()


def test_after_a_run_everything_is_reused(lab):
    lab.run()
    assert set(lab.actions().values()) == {"reuse"}
    assert set(lab.reasons().values()) == {("unchanged since the latest run",)}


def test_a_plan_writes_nothing(lab):
    lab.run()
    before = snapshot(lab.out)
    lab.plan(changed("seed", 3))
    assert snapshot(lab.out) == before


def snapshot(folder):
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("steps.sums.with.k", 6, {"sums": ["with.k: 4 -> 6"], "verdicts": ["input sums changed"]}),
        (
            "steps.draws.with",
            {"scale": 0.1, "sites": [3]},
            {
                "draws": ["with.scale: 0.5 -> 0.1", "with.sites: [1, 2] -> [3]"],
                "sums": ["input draws changed"],
            },
        ),
        (
            "steps.sums.with.concept",
            {"use": "even", "with": {"of": 3}},
            {"sums": ["with.concept.with.of: 2 -> 3"]},
        ),
        ("data.with.rows", 50, {"data": ["with.rows: 40 -> 50"], "draws": ["input data changed"]}),
        ("seed", 5, {"data": ["seed: 0 -> 5"], "draws": ["seed: 0 -> 5", "input data changed"]}),
        (
            "hypotheses.grows.expect",
            "SELECT 1 = 1",
            {
                "verdicts": [
                    "hypotheses.grows.expect: SELECT max(total) > -1000 FROM sums -> SELECT 1 = 1"
                ]
            },
        ),
        (
            "about",
            "x",
            {"verdicts": ["about:  -> x"], "report": ["about:  -> x", "input verdicts changed"]},
        ),
    ],
)
def test_reasons_go_down_to_the_parameter(lab, path, value, expected):
    lab.run()
    planned = lab.plan(changed(path, value))
    found = {step.name: list(step.reasons) for step in planned.steps if step.action == "run"}
    assert {name: found.get(name) for name in expected} == expected


def test_a_new_version_is_a_reason(lab):
    lab.run()
    planned = replan(lab, "draws", version="2")
    assert planned["draws"].reasons == ("toy-draw 1 -> 2",)
    assert planned["sums"].reasons == ("input draws changed",)
    assert planned["data"].action == "reuse"


def test_another_component_is_a_reason(lab):
    lab.run()
    assert replan(lab, "draws", name="toy-noise")["draws"].reasons == ("toy-draw -> toy-noise",)


def replan(lab, step, **change):
    """The plan if the step's component announced something else."""
    from studyrun.plan import plan
    from studyrun.study import Study
    from studyrun.wiring import wire

    wiring = wire(Study.from_plain(DOCUMENT), lab.registry)
    nodes = list(wiring.nodes)
    at = next(i for i, node in enumerate(nodes) if node.name == step)
    component = replace(nodes[at].bound.component, **change)
    lab.registry._owners[component] = lab.registry.owner(nodes[at].bound.component)
    nodes[at] = replace(nodes[at], bound=replace(nodes[at].bound, component=component))
    cells = {"": replace(wiring, nodes=tuple(nodes))}
    planned = plan(cells, lab.registry, lab.store, History.of(lab.out / "toy"))
    return {each.name: each for each in planned.steps}


def test_changed_content_is_a_reason(lab, tmp_path):
    file = tmp_path / "rows.txt"
    document = changed("data.with", {"file": str(file)})
    file.write_text("a")
    lab.run(document)
    file.write_text("bb")
    assert lab.reasons(document)["data"] == ("the data file's content changed",)


def test_a_changed_model_is_a_reason(lab, tmp_path):
    weights = tmp_path / "w"
    document = changed("steps.answers", {"use": "toy-ask"})
    document = changed("model", {"use": "toy-model", "with": {"weights": str(weights)}}, document)
    weights.write_bytes(b"1")
    lab.run(document)
    weights.write_bytes(b"2")
    assert lab.reasons(document)["answers"] == ("the model's weights or configuration changed",)
    assert lab.reasons(document)["draws"] == ("unchanged since the latest run",)
    wider = changed("model.with.width", 9, document)
    assert lab.reasons(wider)["answers"] == (
        "model.with.width: 3 -> 9",
        "the model's weights or configuration changed",
    )
    short = changed("runtime.dtype", "bfloat16", document)
    assert "dtype: float32 -> bfloat16" in lab.reasons(short)["answers"]


def test_going_back_reuses_what_an_earlier_run_stored(lab):
    lab.run()
    lab.run(changed("steps.sums.with.k", 6))
    assert lab.reasons()["sums"] == ("with.k: 6 -> 4", "stored by an earlier run")
    assert lab.actions()["sums"] == "reuse"


def test_what_was_removed_or_damaged_runs_again(lab):
    lab.run()
    keys = lab.keys()
    with lab.store.lock(keys["sums"]):
        lab.store.quarantine(keys["sums"])
    file = lab.store.folder / keys["draws"] / "table.parquet"
    file.chmod(0o644)
    file.write_bytes(b"short")
    assert lab.reasons()["sums"] == ("its artifact is no longer in the store",)
    assert lab.reasons()["draws"] == ("its stored artifact is damaged",)
    assert lab.actions() == {
        "data": "reuse",
        "draws": "run",
        "sums": "run",
        "verdicts": "reuse",
        "report": "reuse",
    }


def test_after_a_failure_the_plan_says_where_it_was(lab, monkeypatch):
    monkeypatch.setenv("TOY_FAIL", "toy-sum")
    lab.run()
    reasons = lab.reasons()
    assert reasons["sums"] == ("it failed in the latest run",)
    assert reasons["verdicts"] == ("the latest run did not get to it",)
    assert reasons["draws"] == ("unchanged since the latest run",)


def test_what_cannot_be_read_blocks_what_needs_it(lab, tmp_path):
    document = changed("data.with", {"file": str(tmp_path / "missing.txt")})
    planned = {step.name: step for step in lab.plan(document).steps}
    assert planned["data"].action == "blocked"
    assert "missing.txt" in planned["data"].reasons[0]
    assert planned["draws"].reasons == ("needs data, which is blocked",)
    assert {step.action for step in planned.values()} == {"blocked"}


def test_after_a_blocked_run_there_is_nothing_to_compare_with(lab, tmp_path):
    file = tmp_path / "late.txt"
    document = changed("data.with", {"file": str(file)})
    lab.run(document)
    file.write_text("here now")
    assert set(lab.reasons(document).values()) == {FRESH}


def test_what_two_cells_share_runs_once(lab):
    cells = [cell("k=4", DOCUMENT), cell("k=6", changed("steps.sums.with.k", 6))]
    steps = {(step.cell, step.name): step for step in lab.plan(*cells).steps}
    assert steps["k=6", "draws"].action == "reuse"
    assert steps["k=6", "draws"].reasons == ("the same as draws in k=4",)
    assert steps["k=6", "sums"].action == "run"


def test_source_that_changed_under_a_version_is_a_warning_and_no_reason_to_run(lab, monkeypatch):
    lab.run()
    assert lab.plan().warnings == ()
    digest = lab.registry.source_digest
    monkeypatch.setattr(
        lab.registry,
        "source_digest",
        lambda component: "0" * 64 if component.name == "toy-sum" else digest(component),
    )
    planned = lab.plan()
    assert {step.action for step in planned.steps} == {"reuse"}
    assert planned.warnings == (
        "the source of step toy-sum changed but not the version; what is stored is reused "
        "(raise the version if results would differ)",
    )


def test_drift_reaches_the_components_that_a_parameter_names(lab, monkeypatch):
    """A classifier's or concept's code is not the step's, and counts all the same."""
    lab.run()
    monkeypatch.setattr(lab.registry, "source_digest", lambda component: f"{component.name:0<64}")
    warned = [text for step in lab.plan().steps if step.name == "sums" for text in step.warnings]
    assert [text.split(" changed")[0] for text in warned] == [
        "the source of step toy-sum, concept even"
    ]


@given(json_objects, json_objects)
def test_two_recipes_that_differ_always_give_a_reason(old, new):
    """Law: differences(a, b) is empty exactly when the keys are equal."""
    frame = {"format": 1, "kind": "step", "use": "u", "version": "1", "seed": 0}
    a, b = ({**frame, "with": each, "study": {"steps": each}} for each in (old, new))
    assert (differences(a, b, {}) == []) == (key_of(a) == key_of(b))


@given(json_objects)
def test_a_record_of_another_format_still_compares(old):
    """Law: whatever an old run recorded, a plan gives reasons and never raises."""
    new = {"format": 1, "kind": "step", "use": "u", "version": "1", "seed": 0, "with": {}}
    assert differences({**old, "study": {}, "inputs": {}}, new, {})


def test_a_plan_imports_neither_torch_nor_polars(lab):
    script = """
import sys
from toys import Lab, Path
lab = Lab(Path(sys.argv[1]))
print(lab.plan().count("run"), *sorted({"torch", "polars", "numpy"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, lab.out],
        capture_output=True,
        text=True,
        check=True,
        cwd=PLUGIN.parent,
    )
    assert done.stdout.split() == ["5"]
