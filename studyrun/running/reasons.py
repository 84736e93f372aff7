"""Why a step runs or is reused, in words: its recipe compared with the latest run's; pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from studyrun.keys import ABSENT, changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from studyrun.keys import Recipe

__all__ = ["differences", "why_missing"]

LONGEST = 40
"""Characters of a value; a longer one is said to have changed."""
ELSEWHERE = ("steps", "data", "model", "seed", "runtime")
"""Parts of the study whose changes reach a step as changed inputs."""


def why_missing(old: Mapping[str, Any] | None, key: str) -> str:
    """Why there is no artifact although nothing changed since the latest run, or there was none."""
    if old is None:
        return "nothing stored yet"
    if old.get("key") != key:
        return ""
    match old.get("status"):
        case "failed":
            return "it failed in the latest run"
        case "interrupted":
            return "the latest run was interrupted while making it"
        case "done" | "reused":
            return "its artifact is no longer in the store"
    return "the latest run did not get to it"


def differences(old: Recipe, new: Recipe, reads: Mapping[str, str]) -> list[str]:
    """Every difference between two recipes, old -> new.

    Args:
        old: from the record of the latest run.
        new: the one now.
        reads: artifact type -> the step that it is read from.
    """
    found = [*_component(old, new), *_values(old, new), *_inputs(old, new, reads)]
    return found or [_arrow(*change) for change in changes(old, new)]


def _component(old: Recipe, new: Recipe) -> Iterator[str]:
    if old.get("format") != new.get("format"):
        yield f"key format {old.get('format')} -> {new.get('format')}"
    if (old.get("kind"), old.get("use")) != (new["kind"], new["use"]):
        yield f"{old.get('use')} -> {new['use']}"
    elif old.get("version") != new["version"]:
        yield f"{new['use']} {old.get('version')} -> {new['version']}"


def _values(old: Recipe, new: Recipe) -> Iterator[str]:
    if old.get("use") == new["use"]:
        yield from _changed("with", old, new)
    if old.get("outside") != new.get("outside"):
        whose = "the data file's" if new["kind"] == "data" else "a file's"
        yield f"{whose} content changed"
    yield from _model(old.get("model") or {}, new.get("model") or {})
    for name in ("seed", "dtype"):
        yield from _changed(name, old, new)
    yield from _study(old.get("study") or {}, new.get("study") or {})


def _model(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for path, before, after in changes(old, new, "model"):
        if path == "model.digest":
            yield "the model's weights or configuration changed"
        else:
            yield _arrow(path, before, after)


def _study(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*new, *old]):
        if name not in ELSEWHERE:
            yield from _changed(name, old, new)


def _inputs(old: Recipe, new: Recipe, reads: Mapping[str, str]) -> Iterator[str]:
    before, after = _keys_of(old), _keys_of(new)
    yield from _compared("input", before, after, reads)
    yield from _compared("variant", old.get("variants", {}), new.get("variants", {}), {})
    if list(before) != list(after) and sorted(before) == sorted(after):
        yield "the order of its inputs changed"


def _compared(
    what: str, before: Mapping[str, Any], after: Mapping[str, Any], names: Mapping[str, str]
) -> Iterator[str]:
    for name in dict.fromkeys([*after, *before]):
        said = f"{what} {names.get(name, name)}"
        if name not in before:
            yield f"{said} added"
        elif name not in after:
            yield f"{said} removed"
        elif before[name] != after[name]:
            yield f"{said} changed"


def _keys_of(recipe: Recipe) -> dict[str, str]:
    return {**recipe.get("inputs", {}), **dict(recipe.get("earlier", []))}


def _changed(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for path, before, after in changes(old.get(name, ABSENT), new.get(name, ABSENT), name):
        yield _arrow(path, before, after)


def _arrow(path: str, old: Any, new: Any) -> str:
    before, after = (_text(value) for value in (old, new))
    if len(before) > LONGEST or len(after) > LONGEST:
        return f"{path} changed"
    return f"{path}: {before} -> {after}"


def _text(value: Any) -> str:
    if value is ABSENT:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
