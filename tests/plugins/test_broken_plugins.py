"""A broken plugin is listed with its error and stops nobody who does not use it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from studyrun.errors import PluginError
from studyrun.registry import Registry

GOOD = 'Component(kind="concept", name="fine", version="1", params=NoParams, target="m:run")'
HOOK = "@hookimpl\ndef studyrun_components():\n    return [{}]\n"

WHOLE = {
    "no-such-import": (
        "import nowhere_to_be_found\n",
        "ModuleNotFoundError: No module named 'nowhere_to_be_found' ({file}:4)",
    ),
    "syntax": ("def broken(:\n", "SyntaxError: invalid syntax (broken.py, line 4)"),
    "exit": ("raise SystemExit(3)\n", "SystemExit: 3 ({file}:4)"),
    "hook-raises": (
        "@hookimpl\ndef studyrun_components():\n    return 1 / 0\n",
        "ZeroDivisionError: division by zero ({file}:6)",
    ),
    "hook-yields-then-raises": (
        "@hookimpl\ndef studyrun_components():\n    yield 1\n    raise RuntimeError('half')\n",
        "RuntimeError: half ({file}:7)",
    ),
    "hook-returns-none": (
        "@hookimpl\ndef studyrun_components():\n    pass\n",
        "TypeError: studyrun_components() must return a list of Component records, not NoneType",
    ),
    "hook-returns-text": (
        "@hookimpl\ndef studyrun_components():\n    return 'parity'\n",
        "TypeError: studyrun_components() must return a list of Component records, not str",
    ),
    "hook-returns-one": (
        f"@hookimpl\ndef studyrun_components():\n    return {GOOD}\n",
        "TypeError: studyrun_components() must return a list of Component records, not Component",
    ),
    "unknown-hook": (
        "@hookimpl\ndef studyrun_component():\n    return []\n",
        "TypeError: unknown hook 'studyrun_component'; did you mean 'studyrun_components'?",
    ),
    "hook-arguments": (
        "@hookimpl\ndef studyrun_components(registry):\n    return []\n",
        "TypeError: hookimpl definition: studyrun_components(registry); Argument(s) {'registry'} "
        "are declared in the hookimpl but can not be found in the hookspec",
    ),
    "nothing-announced": (
        "def studyrun_components():\n    return []\n",
        "TypeError: it announces nothing: no function is marked with @hookimpl",
    ),
}


@pytest.mark.parametrize("case", WHOLE)
def test_a_plugin_that_does_not_load_is_listed_with_its_error(case, install):
    source, expected = WHOLE[case]
    file = install("broken", source)
    install("healthy", HOOK.format(GOOD))
    registry = Registry.load()
    (info,) = (info for info in registry.plugins if info.name == "broken")
    assert info.error is not None
    assert info.error == expected.replace("{file}", str(file))
    assert info.file == str(file)
    assert not info.components
    assert registry.find("concept", "fine"), "the healthy plugin must not suffer"


PARTS = {
    "not a record": ("{'kind': 'concept'}", "announced dict, not a Component record"),
    "kind": (
        GOOD.replace('"concept"', '"notion"'),
        "kind 'notion' is not one of model, data, step, concept, classifier, intervention, "
        "effect, sae-format, artifact, executor, section, comparison",
    ),
    "name": (
        GOOD.replace('"fine"', '"Fine One"'),
        "name 'Fine One' is not lower-case words joined by '-'",
    ),
    "version": (GOOD.replace('"1"', "1"), "version 1 is not a non-empty string"),
    "target": (GOOD.replace('"m:run"', '"m.run"'), "target 'm.run' is not 'package.module:name'"),
    "check": (GOOD[:-1] + ", check='m')", "check 'm' is not 'package.module:name'"),
    "tables": (
        GOOD.replace('"concept"', '"data"')[:-1] + ", tables='m.f')",
        "tables 'm.f' is not 'package.module:name'",
    ),
    "estimate": (
        GOOD.replace('"concept"', '"data"')[:-1] + ", estimate='m.f')",
        "estimate 'm.f' is not 'package.module:name'",
    ),
    "tables of a concept": (
        GOOD[:-1] + ", tables='m:f')",
        "tables, which only steps and data have, not a concept",
    ),
    "estimate of a concept": (
        GOOD[:-1] + ", estimate='m:f')",
        "estimate, which only steps and data have, not a concept",
    ),
    "takes text": (
        GOOD[:-1] + ", takes='sae')",
        "takes 'sae' is not a tuple; write takes=('sae',)",
    ),
    "takes": (
        GOOD[:-1] + ", takes=('SAE!',))",
        "takes 'SAE!', which is not an artifact type, 'type?' or '*'",
    ),
    "step without makes": (
        GOOD.replace('"concept"', '"step"'),
        "a step needs makes='<artifact type>'",
    ),
    "model without facts": (
        GOOD.replace('"concept"', '"model"'),
        "a model needs facts='package.module:function'",
    ),
    "serves": (
        GOOD[:-1] + ", serves='all')",
        "serves 'all', which is not one of model, data, step, concept, classifier, "
        "intervention, effect, sae-format, artifact, executor, section, comparison",
    ),
    "arity": (GOOD[:-1] + ", arity=3)", "arity 3 is not 1 or 2"),
    "laws": (GOOD[:-1] + ", laws=['x'])", "laws ['x'] is not a tuple of Law records"),
    "law of lists": (
        GOOD[:-1] + ", laws=(Law(['x']),))",
        "laws (Law(name=['x'], parameter='', value=None, other=''),) is not a tuple of Law records",
    ),
    "params": (GOOD.replace("NoParams", "dict"), "params <class 'dict'> is not a dataclass"),
    "params instance": (
        GOOD.replace("NoParams", "NoParams()"),
        "params NoParams() is not a dataclass",
    ),
    "params not frozen": (
        GOOD.replace("NoParams", "Loose"),
        "params Loose is not frozen; write @dataclass(frozen=True)",
    ),
    "params without schema": (
        GOOD.replace("NoParams", "Odd"),
        "params Odd has no JSON Schema: Generating JSON schema for custom types requires either: "
        "- implementing a `schema_hook` to generate the schema - or setting the type "
        "`<class 'broken.Loose'>`'s `__get_pydantic_json_schema__`",
    ),
}
CLASSES = """
@dataclass
class Loose:
    k: int = 1

class Alien:
    pass

@dataclass(frozen=True)
class Odd:
    k: Alien = None
"""


@pytest.mark.parametrize("case", PARTS)
def test_a_bad_component_is_rejected_and_its_neighbour_stays(case, install):
    record, expected = PARTS[case]
    good = GOOD.replace('"fine"', '"neighbour"')
    install("broken", CLASSES + HOOK.format(f"{record}, {good}"))
    registry = Registry.load()
    (info,) = (info for info in registry.plugins if info.name == "broken")
    assert info.error is None
    (rejected,) = info.rejected
    if case == "params without schema":
        assert rejected.error.startswith("params Odd has no JSON Schema: ")
    else:
        assert rejected.error == expected
    assert registry.find("concept", "neighbour")
    assert registry.find("concept", "fine") is None


def test_every_fault_of_a_component_is_named_at_once(install):
    record = 'Component(kind="x", name="Y", version="", params=int, target="t", arity=0)'
    install("broken", HOOK.format(record))
    (info,) = (info for info in Registry.load().plugins if info.name == "broken")
    (rejected,) = info.rejected
    assert (rejected.kind, rejected.name) == ("x", "Y")
    assert len(rejected.error.split("; ")) == 6


def test_using_a_rejected_component_names_the_plugin_and_the_fault(install):
    install("broken", HOOK.format(GOOD[:-1] + ", takes='sae')"))
    registry = Registry.load()
    assert str(registry.fault("concept", "fine")) == (
        "plugin 'broken (broken-dist 1.0)': concept 'fine': "
        "takes 'sae' is not a tuple; write takes=('sae',)"
    )
    with pytest.raises(PluginError, match="takes 'sae' is not a tuple"):
        registry.bind("concept", "fine")


def test_a_name_rejected_twice_is_listed_twice(install):
    install("broken", HOOK.format(GOOD[:-1] + ", takes='sae')"))
    install("snapped", HOOK.format(GOOD[:-1] + ", arity=3)"))
    assert [str(fault) for fault in Registry.load().faults()] == [
        "plugin 'broken (broken-dist 1.0)': concept 'fine': "
        "takes 'sae' is not a tuple; write takes=('sae',)",
        "plugin 'snapped (snapped-dist 1.0)': concept 'fine': arity 3 is not 1 or 2",
    ]


def test_an_observer_whose_components_are_broken_is_not_told(install, capsys):
    observer = "@hookimpl\ndef studyrun_event(event):\n    raise RuntimeError('told')\n"
    install("broken", observer + "@hookimpl\ndef studyrun_components():\n    return 1 / 0\n")
    assert Registry.load().emit({"event": "note"}) == []


def test_what_is_good_and_unknown_has_no_fault(install):
    install("healthy", HOOK.format(GOOD))
    registry = Registry.load()
    assert registry.fault("concept", "fine") is None
    assert registry.fault("concept", "nobody") is None


def test_a_broken_plugin_that_was_asked_for_is_demanded(tmp_path, clean_imports):
    (tmp_path / "mine.py").write_text("import nowhere_to_be_found\n")
    registry = Registry.load(["mine.py"], folder=tmp_path)
    with pytest.raises(PluginError, match=r"plugin 'mine.py': ModuleNotFoundError") as caught:
        registry.demand()
    assert caught.value.exit_code == 3


def test_a_broken_plugin_that_nobody_asked_for_is_not_demanded(install):
    install("broken", "import nowhere_to_be_found\n")
    registry = Registry.load()
    registry.demand()
    assert [info.name for info in registry.plugins if info.error] == ["broken"]


def test_a_plugin_that_prints_leaves_stdout_alone(install, capsys):
    install("chatty", "print('hello')\n" + HOOK.format(GOOD))
    Registry.load()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "hello" in captured.err


def test_a_target_that_is_not_callable_is_the_plugins_fault(install):
    install("still", "NUMBER = 3\n" + HOOK.format(GOOD.replace("m:run", "still:NUMBER")))
    with pytest.raises(PluginError, match="concept 'fine': still:NUMBER is not callable"):
        Registry.load().bind("concept", "fine").load()


def test_a_target_whose_module_exits_is_the_plugins_fault(install, tmp_path):
    (tmp_path / "site" / "exits.py").write_text("raise SystemExit(0)\n")
    install("still", HOOK.format(GOOD.replace("m:run", "exits:run")))
    with pytest.raises(PluginError, match="SystemExit: 0"):
        Registry.load().bind("concept", "fine").load()


GARBAGE = {
    "entry points": {"entry_points.txt": "garbage\n[studyrun]\nno equals sign\n"},
    "metadata": {"entry_points.txt": "[studyrun]\nbare = bare_of_metadata\n"},
}


@pytest.mark.parametrize("case", GARBAGE)
def test_a_damaged_distribution_spoils_no_other(case, install, tmp_path):
    install("healthy", HOOK.format(GOOD))
    info = tmp_path / "site" / "damaged-1.0.dist-info"
    info.mkdir()
    for name, text in GARBAGE[case].items():
        (info / name).write_text(text)
    registry = Registry.load()
    assert registry.find("concept", "fine")
    assert registry.find("step", "verdicts"), "the built-in ones must not suffer"


def test_a_plugin_that_imports_what_is_heavy_is_named(install):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from studyrun.registry import Registry;"
        "print([info.imports for info in Registry.load().plugins if info.name == 'heavy'])"
    )
    file = install("heavy", "import scipy\n" + HOOK.format(GOOD))
    command = [sys.executable, "-c", code, str(file.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[('numpy', 'scipy')]\n"
