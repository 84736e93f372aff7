"""The pluggy hooks; a plugin implements them as plain functions marked with `hookimpl`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from studyrun.contracts import Component

__all__ = ["PROJECT", "hookimpl", "hookspec"]

PROJECT = "studyrun"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def studyrun_components() -> Iterable[Component]:  # type: ignore[empty-body]  # a specification
    """The components that this plugin offers: records only, nothing heavy may be imported."""


@hookspec
def studyrun_event(event: Mapping[str, Any]) -> None:
    """Told of every event of a run (a copy); it can never alter a result."""
