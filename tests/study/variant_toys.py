"""A step that asks for whatever variants its parameters say, beside the toys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import study_toys

from studyrun import Component, NoParams, Variant
from studyrun.plugging.plugins import PluginInfo

Changes = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Compare:
    wanted: Changes = field(default_factory=dict)


def wanted(params: Compare) -> Iterable[Variant]:
    return (Variant(name, **changes) for name, changes in params.wanted.items())


def crash(params: NoParams) -> Iterable[Variant]:
    raise ZeroDivisionError("no seed to divide by")


def component(name: str, params: type, variants: str, **rest: Any) -> Component:
    where = f"variant_toys:{variants}"
    return Component("step", name, "1", params, "variant_toys:wanted", variants=where, **rest)


COMPONENTS = (
    component(
        "compare",
        Compare,
        "wanted",
        takes=("problems", "sae", "feature-acts", "labels?"),
        makes="comparison",
    ),
    component("glance", Compare, "wanted", takes=("problems",), makes="comparison"),
    component("retell", Compare, "wanted", takes=("report",), makes="comparison"),
    component("review", Compare, "wanted", takes=("comparison",), makes="review"),
    component("crash-asking", NoParams, "crash", makes="nothing"),
)
REGISTRY = study_toys.registry(
    PluginInfo("askers", "1.0", "askers", "variant_toys", components=COMPONENTS)
)
