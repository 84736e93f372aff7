"""The third-party package in examples/, installed as a stranger would install it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from installing import pip_install, shell

EXAMPLE = Path(__file__).parents[2] / "examples" / "studyrun-parity"


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    return pip_install(EXAMPLE, tmp_path_factory.mktemp("installed") / "site")


@pytest.mark.slow
def test_its_own_tests_pass_where_it_is_installed(env, tmp_path):
    tests = EXAMPLE / "tests"
    done = shell("-m", "pytest", "-q", "-p", "no:cacheprovider", tests, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_its_components_stand_beside_the_built_in_ones(env, tmp_path):
    done = shell("-m", "studyrun", "plugins", "--format", "json", env=env, cwd=tmp_path)
    components = json.loads(done.stdout)["components"]
    ours = {
        (each["kind"], each["name"], each["owner"], each["owner_version"])
        for each in components
        if each["plugin"] == "parity"
    }
    assert ours == {
        (kind, name, "studyrun-parity", "0.1.0")
        for kind, name in [
            ("concept", "parity"),
            ("classifier", "lift-ranked"),
            ("intervention", "clamp"),
            ("step", "clamp"),
            ("effect", "parity-of-answer"),
            ("section", "even-features"),
        ]
    }


def test_clamp_is_a_step_with_the_parameters_of_every_intervention(env, tmp_path):
    done = shell("-m", "studyrun", "describe", "clamp", "--format", "json", env=env, cwd=tmp_path)
    intervention, step = json.loads(done.stdout)
    assert [each["name"] for each in intervention["parameters"]] == ["value"]
    names = [each["name"] for each in step["parameters"]]
    assert names[0] == "value"
    assert {"features", "effects", "split", "controls"} < set(names)
    assert step["makes"] == "effects"


@pytest.mark.slow
def test_its_study_runs_from_yaml_alone(env, tmp_path):
    study = EXAMPLE / "study.yaml"
    fewer = ("--set", "data.with.problems=300", "--set", "steps.report.with.wants=[]")
    done = shell("-m", "studyrun", study, *fewer, "--out", tmp_path / "out", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "out" / "parity" / "latest"
    record = json.loads((run / "run.json").read_text())
    steps = record["cells"][""]["steps"]
    assert {step["status"] for step in steps.values()} == {"done"}
    assert steps["clamped"]["plugin"] == "parity (studyrun-parity 0.1.0)"
    assert (run / "report.html").stat().st_size > 10_000
    assert "Even and odd answers" in (run / "report.md").read_text()
    import polars as pl

    labels = pl.read_parquet(run / "tables" / "labels.parquet")
    assert labels.height == 64
    assert {"feature", "label", "kind", "lift"} <= set(labels.columns)
    clamped = pl.read_parquet(run / "tables" / "clamped.parquet")
    assert clamped.height == 5
    assert {"parity_changed", "parity_changed_q", "parity_even_after"} <= set(clamped.columns)
    assert clamped["n_run"].min() > 0
