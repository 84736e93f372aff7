"""Steps that show others where they are there, beside the toys; and those others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import study_toys

from studyrun import CheckScope, Component, Fault, NoParams, PositiveInt, Table
from studyrun.plugging.plugins import PluginInfo

EVERY = ("portray", "relate", "summarise", "needy", "not-installed")


@dataclass(frozen=True)
class Shows:
    wanted: tuple[str, ...] = ("portray", "relate")
    """Names of components."""


@dataclass(frozen=True)
class Portray:
    top: PositiveInt = 5


@dataclass(frozen=True)
class Needy:
    level: PositiveInt


def wanted(params: Shows) -> Iterable[str]:
    return params.wanted


def crash(params: NoParams) -> Iterable[str]:
    raise ZeroDivisionError("nothing to show")


def numbers(params: NoParams) -> Iterable[str]:
    return (1,)


def tables(params: Portray) -> Mapping[str, Table]:
    return {"table": Table({"feature": "UInt32", "mean": "Float64"})}


def check_portray(params: Portray, scope: CheckScope) -> Iterator[Fault]:
    read = [step.params for step in scope.steps.values() if step.component.name == "read"]
    if any(each.fast for each in read):
        yield Fault(("top",), "fast activations have no top")


def component(name: str, params: type = NoParams, **rest) -> Component:
    return Component("step", name, "1", params, "wanting:wanted", **rest)


def asker(name: str, params: type, wants: str, **rest) -> Component:
    return component(name, params, wants=f"wanting:{wants}", makes="report", **rest)


COMPONENTS = (
    component(
        "portray",
        Portray,
        takes=("sae", "feature-acts", "labels?", "model?"),
        makes="portraits",
        tables="wanting:tables",
        check="wanting:check_portray",
    ),
    component("relate", takes=("feature-acts", "problems"), makes="relations"),
    component("summarise", takes=("portraits", "relations?"), makes="summary"),
    component("needy", Needy, takes=("problems",), makes="needed"),
    component("ask", takes=("problems", "model"), makes="answers"),
    asker("gallery", Shows, "wanted", takes=("study", "*")),
    asker("board", Shows, "wanted", takes=("feature-acts", "portraits?")),
    asker("broken", NoParams, "crash", takes=("study", "*")),
    asker("counting", NoParams, "numbers", takes=("study", "*")),
)
REGISTRY = study_toys.registry(
    PluginInfo("wanters", "1.0", "wanters", "wanting", components=COMPONENTS)
)
