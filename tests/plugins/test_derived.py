"""Every intervention is a step of its own name; every observer is told and can change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from studyrun import CheckScope, params
from studyrun.errors import PluginError
from studyrun.plugging import drift
from studyrun.registry import Registry

TEMPLATE = """
from dataclasses import field
from typing import Any

@dataclass(frozen=True)
class EditParams:
    features: dict[str, Any] = field(default_factory=dict)
    "Which features."
    controls: PositiveInt = 5
    "How many controls."

def run(params, inputs, context):
    return params.served()

@hookimpl
def studyrun_components():
    return [
        Component(kind="step", name="test-template", version="2", params=EditParams,
                  target="editing:run", takes=("test-z",), makes="test-effects",
                  serves="executor"),
    ]
"""
SERVED = """
from typing import Annotated

@dataclass(frozen=True)
class HoldParams:
    to: float
    "The value."
    soft: bool = False
    "Half-way."
    {extra}

@hookimpl
def studyrun_components():
    return [
        Component(kind="executor", name="hold-still", version="9", params=HoldParams,
                  target="holding:run", summary="Hold.", arity={arity}),
    ]
"""


def _install(install, extra="", arity=1):
    install("editing", TEMPLATE)
    install("holding", SERVED.format(extra=extra, arity=arity))
    return Registry.load()


def test_a_served_component_is_a_step_of_its_own_name(install):
    registry = _install(install)
    step = registry.find("step", "hold-still")
    assert step is not None
    assert (step.version, step.takes, step.makes) == ("2/9", ("test-z",), "test-effects")
    assert (step.target, step.summary, step.serves) == ("editing:run", "Hold.", "")
    assert registry.owner(step).name == "holding"


def test_the_template_itself_is_no_step(install):
    registry = _install(install)
    assert registry.find("step", "test-template") is None
    assert "test-template" not in registry.names("step")


def test_the_derived_step_takes_both_parameters_with_their_docs(install):
    step = _install(install).find("step", "hold-still")
    assert step is not None
    own, _ = params.schema(step.params)
    assert own["required"] == ["to"]
    assert set(own["properties"]) == {"to", "soft", "features", "controls"}
    assert own["properties"]["controls"]["minimum"] == 1
    assert params.defaults(step.params) == {"soft": False, "features": {}, "controls": 5}
    assert params.field_docs(step.params) == {
        "to": "The value.",
        "soft": "Half-way.",
        "features": "Which features.",
        "controls": "How many controls.",
    }


def test_the_derived_steps_parameters_know_what_they_serve(install):
    registry = _install(install)
    bound = registry.bind("step", {"use": "hold-still", "with": {"to": 3, "controls": 7}})
    served = {"use": "hold-still", "with": {"to": 3.0, "soft": False}}
    assert bound.params.served() == served
    assert bound.load()(bound.params, None, None) == served
    assert registry.bind("executor", served).params.to == 3.0
    assert registry.canonical(bound) == {"to": 3.0, "soft": False, "features": {}, "controls": 7}


CHECKED = """
from studyrun import Fault

def check_edit(params, scope):
    return [Fault(("controls",), "the template asks")] if params.controls > 5 else []

def check_hold(params, scope):
    if params.to > 8:
        yield Fault(("to",), "the executor asks")
    if params.to > 9:
        yield "too much"
    if params.to > 10:
        raise KeyError("gone")

def digest(params):
    return f"content of {params.to}"
"""


@pytest.fixture
def checked(install):
    install("checked", CHECKED + "@hookimpl\ndef studyrun_event(event):\n    pass\n")
    install("editing", TEMPLATE.replace("serves=", 'check="checked:check_edit", serves='))
    extra = 'check="checked:check_hold", digest="checked:digest", '
    source = SERVED.format(extra="", arity=1)
    install("holding", source.replace("summary=", f"{extra}summary="))
    return Registry.load()


def _checked(registry, **given):
    bound = registry.bind("step", {"use": "hold-still", "with": given})
    return [(fault.path, fault.message) for fault in registry.check(bound, CheckScope())]


def test_a_derived_step_is_checked_by_its_template_and_by_what_it_serves(checked):
    assert _checked(checked, to=1) == []
    assert _checked(checked, to=9, controls=6) == [
        (("controls",), "the template asks"),
        (("to",), "the executor asks"),
    ]


def test_a_check_that_fails_is_the_plugins_fault(checked):
    with pytest.raises(PluginError, match="check: found 'too much', which is no Fault"):
        _checked(checked, to=10)
    with pytest.raises(PluginError, match=r"plugin 'holding .*executor 'hold-still': check: Key"):
        _checked(checked, to=11)


def test_the_files_of_what_a_derived_step_serves_count(checked):
    bound = checked.bind("step", {"use": "hold-still", "with": {"to": 2}})
    assert checked.digest(bound) == "content of 2.0"


def test_a_change_of_either_source_is_a_source_drift(install):
    registry = _install(install)
    step = registry.find("step", "hold-still")
    first = registry.source_digest(step)
    for name in ("editing", "holding"):
        file = next(info.file for info in registry.plugins if info.name == name)
        Path(file).write_text(Path(file).read_text() + "# changed\n")
        drift._digest.cache_clear()
        second = registry.source_digest(step)
        assert second != first
        first = second


def test_a_parameter_that_every_such_step_has_is_refused(install):
    registry = _install(install, extra="controls: int = 1")
    assert registry.find("step", "hold-still") is None
    assert registry.find("executor", "hold-still")
    assert str(registry.fault("step", "hold-still")) == (
        "plugin 'holding (holding-dist 1.0)': step 'hold-still': "
        "its parameter 'controls' is one that every executor step has"
    )


def test_a_step_of_the_same_name_is_a_collision(install):
    install(
        "rival",
        TEMPLATE.replace("test-template", "hold-still").replace(
            '                  serves="executor"),', "                  ),"
        ),
    )
    registry = _install(install)
    assert registry.find("step", "hold-still") is None
    assert str(registry.fault("step", "hold-still")) == (
        "plugin 'holding (holding-dist 1.0)': step 'hold-still' is announced by "
        "rival (rival-dist 1.0) and holding (holding-dist 1.0); "
        "uninstall or rename one of them"
    )
    assert registry.find("executor", "hold-still")


def test_a_template_serves_components_of_its_own_arity(install):
    assert _install(install, arity=2).find("step", "hold-still") is None


def test_a_second_template_is_refused_and_the_first_one_serves_on(install):
    install("usurper", TEMPLATE.replace("test-template", "other-template"))
    registry = _install(install)
    assert registry.bind("step", {"use": "hold-still", "with": {"to": 1}}).params.controls == 5
    assert [str(fault) for fault in registry.faults()] == [
        "plugin 'usurper (usurper-dist 1.0)': step 'other-template': "
        "editing (editing-dist 1.0) serves every executor already"
    ]


def test_parameters_that_cannot_be_joined_stop_only_the_step(install):
    install("editing", TEMPLATE.replace("(frozen=True)", "(frozen=True, slots=True)"))
    slotted = SERVED.replace("(frozen=True)", "(frozen=True, slots=True)")
    install("holding", slotted.format(extra="", arity=1))
    registry = Registry.load()
    assert registry.find("executor", "hold-still")
    assert registry.find("step", "hold-still") is None
    assert "multiple bases have instance lay-out conflict" in str(
        registry.fault("step", "hold-still")
    )


OBSERVER = """
@hookimpl
def studyrun_event(event):
    {body}
"""


def test_every_observer_is_told_and_can_change_nothing(install, capsys):
    install("meddler", OBSERVER.format(body="event['numbers'].append(3)"))
    install("watcher", OBSERVER.format(body="import sys; print(event, file=sys.stderr)"))
    event = {"type": "started", "numbers": [1, 2]}
    assert Registry.load().emit(event) == []
    assert event == {"type": "started", "numbers": [1, 2]}
    assert capsys.readouterr().err == "{'type': 'started', 'numbers': [1, 2]}\n"


@pytest.mark.parametrize("body", ["raise KeyError('x')", "raise SystemExit(1)"])
def test_an_observer_that_fails_is_a_warning_once_and_the_others_are_told(install, capsys, body):
    install("clumsy", OBSERVER.format(body=body))
    install("watcher", OBSERVER.format(body="import sys; print('seen', file=sys.stderr)"))
    registry = Registry.load()
    (warning,) = registry.emit({"type": "started"})
    assert warning.startswith("observer 'clumsy' failed and is told no more: ")
    assert registry.emit({"type": "ended"}) == []
    assert capsys.readouterr().err == "seen\nseen\n"
