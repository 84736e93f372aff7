"""What is wrong with a component that a plugin announced; pure, imports none of its targets."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any, get_args

from studyrun import params
from studyrun.contracts import Component, Estimate, Kind, Law, Variant
from studyrun.keys import canonical_json

__all__ = ["estimate_fault", "faults_of", "variant_faults"]

KINDS: tuple[str, ...] = get_args(Kind)
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
ROLES = ("check", "digest", "facts", "variants", "tables", "estimate", "many", "wants", "shows")
"""Fields of a record that name a function beside the target; all but `many` are light."""
REPORT = "report"
TAKES = re.compile(r"\*|[a-z][a-z0-9]*(-[a-z0-9]+)*\??")


def faults_of(record: Any) -> list[str]:
    """Every way in which `record` is not a usable component; empty if it is one."""
    if not isinstance(record, Component):
        return [f"announced {type(record).__name__}, not a Component record"]
    return [*_identity(record), *_references(record), *_wiring(record), *_params(record.params)]


def variant_faults(found: tuple[Any, ...]) -> list[str]:
    """Every way in which what a step wants to be compared with are not usable variants."""
    faults, names = [], set[str]()
    for each in found:
        if not isinstance(each, Variant):
            faults.append(f"found {type(each).__name__}, not a Variant record")
        elif not _matches(NAME, each.name):
            faults.append(f"name {each.name!r} is not lower-case words joined by '-'")
        elif each.name in names:
            faults.append(f"two of them are called {each.name!r}")
        elif not _replaces(each):
            faults.append(f"{each.name!r} replaces what is no mapping of JSON values")
        else:
            names.add(each.name)
    return faults


def estimate_fault(found: Any) -> str | None:
    """Why what a step says that it will take is no usable estimate; None if it is one."""
    if not isinstance(found, Estimate):
        return f"returned {type(found).__name__}, not an Estimate"
    for name in ("flops", "bytes"):
        value = getattr(found, name)
        if not isinstance(value, int | float) or not 0 <= value < math.inf:
            return f"{name} is {value!r}, not a number from 0 on"
    return None if isinstance(found.note, str) else f"note is {found.note!r}, not text"


def _replaces(variant: Variant) -> bool:
    try:
        canonical_json([variant.model, variant.steps])
    except (TypeError, ValueError):
        return False
    replaced = (variant.model, variant.steps, *dict(variant.steps).values())
    return all(isinstance(each, dict) for each in replaced)


def _identity(record: Component) -> list[str]:
    faults = []
    if record.kind not in KINDS:
        faults.append(f"kind {record.kind!r} is not one of {', '.join(KINDS)}")
    if not _matches(NAME, record.name):
        faults.append(f"name {record.name!r} is not lower-case words joined by '-'")
    if not isinstance(record.version, str) or not record.version:
        faults.append(f"version {record.version!r} is not a non-empty string")
    if not isinstance(record.summary, str):
        faults.append(f"summary {record.summary!r} is not a string")
    return faults


def _references(record: Component) -> list[str]:
    faults = []
    if not _matches(TARGET, record.target):
        faults.append(f"target {record.target!r} is not 'package.module:name'")
    for role in ROLES:
        value = getattr(record, role)
        if value != "" and not _matches(TARGET, value):
            faults.append(f"{role} {value!r} is not 'package.module:name'")
    if record.kind == "model" and not record.facts:
        faults.append("a model needs facts='package.module:function'")
    return [*faults, *_misplaced(record)]


def _misplaced(record: Component) -> list[str]:
    """Functions that a component of that kind is never asked for."""
    faults = []
    for role in ("variants", "many", "wants"):
        if getattr(record, role) and record.kind != "step":
            faults.append(f"{role}, which a {record.kind} cannot ask for; only a step can")
    if record.shows and record.makes != REPORT:
        faults.append(f"shows, which only a step that makes a {REPORT!r} has")
    for role in ("tables", "estimate"):
        if getattr(record, role) and record.kind not in ("step", "data"):
            faults.append(f"{role}, which only steps and data have, not a {record.kind}")
    return faults


def _wiring(record: Component) -> list[str]:
    faults = []
    if not isinstance(record.takes, tuple):
        faults.append(f"takes {record.takes!r} is not a tuple; write takes=('sae',)")
    else:
        bad = [name for name in record.takes if not _matches(TAKES, name)]
        faults += [f"takes {name!r}, which is not an artifact type, 'type?' or '*'" for name in bad]
    if record.makes != "" and not _matches(NAME, record.makes):
        faults.append(f"makes {record.makes!r}, which is not an artifact type")
    if record.kind == "step" and not record.makes:
        faults.append("a step needs makes='<artifact type>'")
    if record.serves != "" and record.serves not in KINDS:
        faults.append(f"serves {record.serves!r}, which is not one of {', '.join(KINDS)}")
    if record.arity not in (1, 2):
        faults.append(f"arity {record.arity!r} is not 1 or 2")
    if not isinstance(record.laws, tuple) or not all(map(_is_law, record.laws)):
        faults.append(f"laws {record.laws!r} is not a tuple of Law records")
    return faults


def _is_law(law: Any) -> bool:
    return (
        isinstance(law, Law)
        and all(isinstance(text, str) for text in (law.name, law.parameter, law.other))
        and (law.value is None or isinstance(law.value, int | float))
    )


def _params(cls: Any) -> list[str]:
    if not isinstance(cls, type) or not dataclasses.is_dataclass(cls):
        return [f"params {cls!r} is not a dataclass"]
    if not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]  # dataclasses' own mark
        return [f"params {cls.__name__} is not frozen; write @dataclass(frozen=True)"]
    try:
        params.schema(cls)
    except Exception as error:  # noqa: BLE001  # msgspec, annotations: whatever the class provokes
        return [f"params {cls.__name__} has no JSON Schema: {error}"]
    return []


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
