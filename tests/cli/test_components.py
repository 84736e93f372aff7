"""`plugins` and `describe`: views of the registry."""

from __future__ import annotations

import json
import sys

import pytest
import yaml

from studyrun.plugging.describe import example, parameters
from studyrun.registry import Registry

PLUGIN = """
from dataclasses import field
from typing import Annotated, Literal
from msgspec import Meta
from studyrun import FilePath, Fraction, RankRange

@dataclass(frozen=True)
class Inner:
    depth: PositiveInt
    "How deep."

@dataclass(frozen=True)
class GaugeParams:
    level: PositiveInt
    "Where it stands."
    share: Fraction = 0.5
    "How much of it,\\nin words."
    mode: Literal["up", "down"] = "up"
    inner: Inner | None = None
    "A part."
    ranges: list[RankRange] = field(default_factory=list)
    names: dict[str, float] = field(default_factory=dict)
    file: FilePath | None = None
    odd: Annotated[float, Meta(gt=0, lt=1)] | None = None

@hookimpl
def studyrun_components():
    return [
        Component(kind="step", name="gauge", version="3", params=GaugeParams,
                  target="gauging:run", takes=("sae", "model?"), makes="gauges",
                  summary="read a gauge"),
    ]
"""


@pytest.fixture
def gauge(install):
    return install("gauging", PLUGIN, version="2.1")


def test_plugins_lists_kind_name_version_owner_file_and_summary(gauge, studyrun):
    code, out, err = studyrun("plugins")
    assert (code, err) == (0, "")
    head, *rows = out.splitlines()
    assert head.split() == ["kind", "name", "version", "owner", "file", "summary"]
    (row,) = (row for row in rows if " gauge " in row)
    cells = [cell for cell in row.split("  ") if cell]
    assert [cell.strip() for cell in cells] == [
        "step",
        "gauge",
        "3",
        "gauging-dist 2.1",
        str(gauge),
        "read a gauge",
    ]


def test_plugins_lists_what_is_broken_at_the_end(install, studyrun):
    file = install("snapped", "import nowhere_to_be_found\n")
    install("twin", PLUGIN.replace("gauging", "twin"))
    install("gauging", PLUGIN)
    lines = studyrun("plugins").out.splitlines()
    broken = lines[lines.index("cannot be used:") + 1 :]
    assert (
        f"  plugin 'snapped (snapped-dist 1.0)' {file}: ModuleNotFoundError: "
        f"No module named 'nowhere_to_be_found' ({file}:4)"
    ) in broken
    assert (
        "  plugin 'twin (twin-dist 1.0)': step 'gauge' is announced by gauging (gauging-dist 1.0) "
        "and twin (twin-dist 1.0); uninstall or rename one of them"
    ) in broken


def test_plugins_lists_observers_and_what_slows_everything_down(install, studyrun, monkeypatch):
    monkeypatch.delitem(sys.modules, "scipy", raising=False)
    file = install("watching", "import scipy\n@hookimpl\ndef studyrun_event(event):\n    pass\n")
    lines = studyrun("plugins").out.splitlines()
    (row,) = (line for line in lines if line.startswith("observer"))
    assert row.split(maxsplit=2)[:2] == ["observer", "watching"]
    assert str(file) in row
    assert lines[lines.index("slow to load:") + 1] == (
        "  plugin 'watching (watching-dist 1.0)' imports scipy when it is loaded; "
        "import inside the function that needs it"
    )


def test_plugins_as_json_holds_the_same_facts(gauge, install, studyrun):
    install("snapped", "import nowhere_to_be_found\n")
    facts = json.loads(studyrun("plugins", "--format", "json").out)
    (record,) = (each for each in facts["components"] if each["name"] == "gauge")
    assert record == {
        "kind": "step",
        "name": "gauge",
        "version": "3",
        "summary": "read a gauge",
        "plugin": "gauging",
        "owner": "gauging-dist",
        "owner_version": "2.1",
        "file": str(gauge),
        "target": "gauging:run",
        "takes": ["sae", "model?"],
        "makes": "gauges",
    }
    errors = {each["name"]: each["error"] for each in facts["plugins"]}
    assert errors["gauging"] is None
    assert errors["snapped"].startswith("ModuleNotFoundError")


def test_describe_prints_every_parameter_and_an_example(gauge, studyrun):
    code, out, err = studyrun("describe", "gauge")
    assert (code, err) == (0, "")
    assert (
        out
        == f"""\
step gauge, version 3
  read a gauge
  takes sae, model?
  makes gauges
  shipped by gauging (gauging-dist 2.1): {gauge}

parameters
  level: integer; >= 1; required
      Where it stands.
  share: number; >= 0, <= 1; default 0.5
      How much of it, in words.
  mode: down | up; default "up"
  inner: object | null; default null
      A part.
  inner.depth: integer; >= 1; required
      How deep.
  ranges: list of string; matches ^[1-9][0-9]*-[1-9][0-9]*$; default []
  names: map of names to number; default {{}}
  file: path | null; default null
  odd: number | null; > 0, < 1; default null

example
  steps:
    gauges:
      use: gauge
      with: {{level: 1, share: 0.5, mode: up}}
"""
    )


def test_describe_as_json_holds_the_same_facts(gauge, studyrun):
    (record,) = json.loads(studyrun("describe", "gauge", "--format", "json").out)
    assert record["name"] == "gauge"
    level, share, *_ = record["parameters"]
    assert level == {
        "name": "level",
        "type": "integer",
        "required": True,
        "limits": ">= 1",
        "doc": "Where it stands.",
    }
    assert share["default"] == 0.5
    assert yaml.safe_load(record["example"])["steps"]["gauges"]["use"] == "gauge"


def test_describe_of_an_unknown_name_suggests_one(gauge, studyrun):
    assert studyrun("describe", "gaug") == (
        2,
        "",
        "there is no component 'gaug'; did you mean 'gauge'? (`studyrun plugins` lists them all)\n",
    )


def test_describe_of_a_rejected_component_is_the_plugins_fault(install, studyrun):
    install("gauging", PLUGIN.replace('version="3"', "version=3"))
    assert studyrun("describe", "gauge") == (
        3,
        "",
        "plugin 'gauging (gauging-dist 1.0)': step 'gauge': version 3 is not a non-empty string\n",
    )


def test_describe_shows_a_local_plugin(tmp_path, clean_imports, studyrun, monkeypatch):
    from installing import PREAMBLE

    monkeypatch.chdir(tmp_path)
    (tmp_path / "local_gauging.py").write_text(PREAMBLE + PLUGIN)
    code, out, _ = studyrun("describe", "gauge", "-p", "local_gauging.py")
    assert code == 0
    assert "shipped by local_gauging.py (local): local_gauging.py" in out


def _everything():
    registry = Registry.load()
    return [
        pytest.param(registry, each, id=f"{each.kind}-{each.name}")
        for each in registry.components()
    ]


@pytest.mark.parametrize(("registry", "component"), _everything())
def test_the_example_of_every_component_can_be_used(registry, component, tmp_path):
    shown = example(registry, component)
    if component.kind in ("artifact", "comparison", "executor", "intervention"):
        assert shown == ""
        return
    used = list(_uses(yaml.safe_load(shown), component.name))
    assert used, "the example must use the component"
    for ref in used:
        registry.bind(component.kind, ref, tmp_path)


@pytest.mark.parametrize(("registry", "component"), _everything())
def test_every_parameter_of_every_component_is_documented(registry, component):
    undocumented = [each.name for each in parameters(component.params) if not each.doc]
    assert undocumented == []
    assert component.summary


def _uses(value, name):
    """Every reference to the component in a piece of a study."""
    if value == name:
        yield name
    if isinstance(value, dict):
        if value.get("use") == name:
            yield {key: value[key] for key in ("use", "with") if key in value}
        if list(value) == [name] and isinstance(value[name], dict) and "use" not in value[name]:
            yield value
        for key in value.keys() - {"use"}:
            yield from _uses(value[key], name)
    if isinstance(value, list):
        for inner in value:
            yield from _uses(inner, name)
