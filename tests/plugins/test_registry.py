"""What the registry offers, who owns it, and what it never does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from studyrun.errors import PluginError, UsageError
from studyrun.plugging import drift
from studyrun.registry import Registry

SHIFT = """
@dataclass(frozen=True)
class ShiftParams:
    by: float = 1.0
    "How far."

def shift(z, features, params):
    return z

@hookimpl
def studyrun_components():
    return [
        Component(kind="concept", name="{name}", version="3", params=ShiftParams,
                  target="{module}:shift", summary="Shifted."),
    ]
"""


def test_an_installed_plugin_is_found_with_its_owner_version_and_file(install):
    file = install("far", SHIFT.format(name="shifted", module="far"), version="2.5")
    registry = Registry.load()
    component = registry.find("concept", "shifted")
    assert component is not None
    owner = registry.owner(component)
    assert (owner.name, owner.owner, owner.version) == ("far", "far-dist", "2.5")
    assert (owner.module, owner.file) == ("far", str(file))
    assert owner.error is None
    assert "shifted" in registry.names("concept")


def test_components_are_sorted_by_kind_and_name(install):
    install("zeta", SHIFT.format(name="zz", module="zeta"))
    install("alpha", SHIFT.format(name="aa", module="alpha"))
    registry = Registry.load()
    found = [(component.kind, component.name) for component in registry.components()]
    assert found == sorted(found)
    assert set(registry.components("concept")) < set(registry.components())


def test_the_target_is_imported_only_by_load(install):
    source = SHIFT.format(name="late", module="late_target").replace("late_target:", "elsewhere:")
    install("late_target", source)
    bound = Registry.load().bind("concept", "late")
    assert "elsewhere" not in sys.modules
    with pytest.raises(PluginError, match="No module named 'elsewhere'") as caught:
        bound.load()
    assert caught.value.plugin == "late_target (late_target-dist 1.0)"


def test_a_name_announced_twice_is_nobodys_and_both_owners_are_named(install):
    install("one", SHIFT.format(name="same", module="one"), version="1.0")
    install("two", SHIFT.format(name="same", module="two"), version="2.0")
    registry = Registry.load()
    assert registry.find("concept", "same") is None
    assert str(registry.fault("concept", "same")) == (
        "plugin 'two (two-dist 2.0)': concept 'same' is announced by one (one-dist 1.0) and "
        "two (two-dist 2.0); uninstall or rename one of them"
    )
    assert [str(fault) for fault in registry.faults()] == [str(registry.fault("concept", "same"))]
    with pytest.raises(PluginError, match=r"announced by one .* and two "):
        registry.bind("concept", "same")
    assert all(info.components for info in registry.plugins if info.name in ("one", "two"))


def test_the_same_name_in_two_kinds_is_no_collision(install):
    source = SHIFT.format(name="both", module="both")
    install(
        "both", source.replace("    ]\n", source.split("return [")[1].replace("concept", "effect"))
    )
    registry = Registry.load()
    assert registry.find("concept", "both")
    assert registry.find("effect", "both")


def test_an_unknown_name_suggests_the_nearest(install):
    install("near", SHIFT.format(name="parities", module="near"))
    with pytest.raises(UsageError, match="there is no concept 'paritis'; did you mean 'parities'"):
        Registry.load().bind("concept", "paritis")


def test_a_requested_module_is_loaded_from_the_given_folder(tmp_path, clean_imports):
    (tmp_path / "beside.py").write_text(_local("beside"))
    registry = Registry.load(["beside"], folder=tmp_path)
    component = registry.find("concept", "local")
    assert component is not None
    assert registry.owner(component).label == "beside (local)"
    assert registry.bind("concept", "local").load()(1, 2, 3) == 1


def test_a_requested_file_is_loaded_by_its_path(tmp_path, clean_imports):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "helper_of_single.py").write_text("ANSWER = 42\n")
    (tmp_path / "lib" / "single.py").write_text("import helper_of_single\n" + _local("single"))
    registry = Registry.load(["lib/single.py", "lib/single.py"], folder=tmp_path)
    assert [info.name for info in registry.plugins if info.requested] == ["lib/single.py"]
    assert registry.bind("concept", "local").load()(1, 2, 3) == 1


def test_a_requested_folder_is_a_package(tmp_path, clean_imports):
    package = tmp_path / "whole"
    package.mkdir()
    hook = _local("whole").replace("whole:shift", "whole.maths:shift")
    (package / "__init__.py").write_text(hook)
    (package / "maths.py").write_text("def shift(z, features, params):\n    return z\n")
    registry = Registry.load(["./whole/"], folder=tmp_path)
    assert registry.bind("concept", "local").load()(1, 2, 3) == 1


def test_a_requested_module_that_is_installed_already_is_loaded_once(install, tmp_path):
    install("twice", SHIFT.format(name="once", module="twice"))
    registry = Registry.load(["twice"], folder=tmp_path)
    assert registry.find("concept", "once")
    assert registry.faults() == ()


def test_a_requested_module_that_does_not_exist_is_a_usage_error(tmp_path, clean_imports):
    (tmp_path / "parity.py").write_text(_local("parity"))
    with pytest.raises(UsageError) as caught:
        Registry.load(["pariti.py"], folder=tmp_path)
    assert str(caught.value) == ("plugin 'pariti.py': no such file; did you mean 'parity.py'?")
    with pytest.raises(UsageError, match="no module of that name can be imported"):
        Registry.load(["no.such.module"], folder=tmp_path)


def test_a_requested_file_never_shadows_another_module(tmp_path, clean_imports):
    (tmp_path / "json.py").write_text(_local("json"))
    registry = Registry.load(["json.py"], folder=tmp_path)
    with pytest.raises(PluginError, match="already called 'json'; rename the file"):
        registry.demand()
    import json

    assert json.loads("1") == 1


def test_the_source_digest_follows_the_source_and_nothing_else(install):
    file = install("drift", SHIFT.format(name="drifting", module="drift"))
    first = _fresh_source_digest(file)
    assert _fresh_source_digest(file) == first
    file.write_text(file.read_text() + "# changed\n")
    assert _fresh_source_digest(file) != first


def test_loading_the_registry_imports_nothing_heavy():
    heavy = {"torch", "polars", "numpy", "scipy", "transformers", "jsonschema", "jinja2", "yaml"}
    code = (
        "import sys; from studyrun.registry import Registry; Registry.load();"
        "print(' '.join(m for m in sys.modules if '.' not in m))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(done.stdout.split())


def _local(module: str) -> str:
    header = "from dataclasses import dataclass\nfrom studyrun import Component, hookimpl\n"
    return header + SHIFT.format(name="local", module=module)


def _fresh_source_digest(file) -> str:
    drift._digest.cache_clear()
    registry = Registry.load()
    component = registry.find("concept", "drifting")
    assert component is not None
    return registry.source_digest(component)
