"""`run.json`: what a run was, what became of every step, and with what it was made.

```
format, run, study, status, started, ended, seconds, study_file, command, rerun, warnings, error
cells: {<cell>: {study, study_digest, steps: {<step>: {component, plugin, type, action, reasons,
        warnings, key, recipe, wanted_by, status, seconds, together, peak_memory, error}}}}
seed, versions, plugins, git, hardware, peak_memory
index: the key of the page over a matrix' cells, where there is one
```

`command` is what was typed, word for word, null for a run from Python; `rerun` is the command that
does the same again, from the same folder: study, `--set`, `-p` and `--out`.

Of steps that were made at once, `together` says how many they were; `seconds` is the share of
each in the time that they took, `peak_memory` is that of all.

`status` of a run: running (or killed), done, failed, interrupted; of a step: planned, running,
done, reused, failed, blocked, interrupted.
"""

from __future__ import annotations

import copy
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from studyrun.keys import digest
from studyrun.running.events import now
from studyrun.running.history import LATEST, RECORD
from studyrun.running.machine import git_state, hardware, versions
from studyrun.storing.files import point_link, replace_file, writing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from studyrun.contracts import Kind
    from studyrun.plan import Plan, PlannedStep
    from studyrun.registry import Registry

__all__ = ["Origin", "Record", "new_folder"]

FORMAT = 1
OFTEN = 1.0
"""Seconds between two writings while the run goes on; a study may have thousands of steps."""


def new_folder(runs: Path) -> Path:
    """A folder for a run, named by the time in UTC: `20261122-214501`, then `...-2`."""
    name = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    with writing(runs):
        runs.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            folder = runs / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1
            else:
                return folder


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a run came from."""

    study_file: Path | None = None
    """As it was given."""
    command: str | None = None
    """What was typed; None for a run from Python."""
    rerun: str | None = None
    """The command that does the same again, from the same folder."""


class Record:
    """The record of one run, written in one step each time so that it can be read at any time."""

    def __init__(self, folder: Path, plan: Plan, registry: Registry, origin: Origin) -> None:
        self.folder = folder
        self._start, self._written = time.monotonic(), 0.0
        first = next(iter(plan.cells.values())).study
        self.data: dict[str, Any] = {
            "format": FORMAT,
            "run": folder.name,
            "study": plan.study,
            "status": "running",
            "started": now(),
            "ended": None,
            "seconds": None,
            "study_file": str(origin.study_file) if origin.study_file else None,
            "command": origin.command,
            "rerun": origin.rerun,
            "warnings": list(plan.warnings),
            "error": None,
            "cells": _cells(plan, registry),
            "seed": first.seed,
            "versions": versions(),
            "plugins": _plugins(plan, registry),
            "git": git_state(origin.study_file.parent if origin.study_file else first.folder),
            "hardware": None,
            "peak_memory": {},
        }
        self.save()

    def step(self, step: PlannedStep, **facts: Any) -> None:
        """Add facts to what is known of a step."""
        entry = self.data["cells"][step.cell]["steps"][step.name]
        entry.update(facts)
        for name, value in facts.get("peak_memory", {}).items():
            self.data["peak_memory"][name] = max(value, self.data["peak_memory"].get(name, 0))
        if time.monotonic() - self._written > OFTEN:
            self.save()

    def finish(self, status: str, warnings: list[str], error: str | None) -> float:
        """The last writing, after which `latest` points here; the seconds that the run took."""
        seconds = round(time.monotonic() - self._start, 3)
        self.data |= {"status": status, "ended": now(), "seconds": seconds, "error": error}
        self.data["warnings"] = list(dict.fromkeys([*self.data["warnings"], *warnings]))
        self.data["hardware"] = hardware()
        for entry in self._steps():
            if entry["status"] == "running":
                entry["status"] = status
        self.save()
        with writing(self.folder.parent):
            point_link(self.folder.parent / LATEST, self.folder.name)
        return seconds

    def _steps(self) -> list[dict[str, Any]]:
        return [entry for cell in self.data["cells"].values() for entry in cell["steps"].values()]

    def of_cell(self, cell: str) -> dict[str, Any]:
        """A copy of what is known so far, with that cell alone: what a report may show."""
        return copy.deepcopy({**self.data, "cells": {cell: self.data["cells"][cell]}})

    def warn(self, warnings: Sequence[str]) -> None:
        """Write down warnings that came after the end, if any of them is new."""
        known = self.data["warnings"]
        self.data["warnings"] = list(dict.fromkeys([*known, *warnings]))
        if len(self.data["warnings"]) > len(known):
            self.save()

    def save(self) -> None:
        """Write `run.json`."""
        text = json.dumps(self.data, indent=1, ensure_ascii=False)
        with writing(self.folder):
            replace_file(self.folder / RECORD, f"{text}\n".encode())
        self._written = time.monotonic()


def _cells(plan: Plan, registry: Registry) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for cell, wiring in plan.cells.items():
        cells[cell] = {
            "study": wiring.study.plain(),
            "study_digest": digest(plan.records[cell]),
            "steps": {},
        }
    for step in plan.steps:
        owner = registry.owner(step.node.bound.component)
        facts = {**step.plain(), "plugin": owner.label, "status": "planned"}
        cells[step.cell]["steps"][step.name] = facts
    return cells


def _plugins(plan: Plan, registry: Registry) -> list[dict[str, str]]:
    """Who ships what the study uses (components that parameters name among it), by plugin name."""
    used = {tuple(each.split(" ", 1)) for step in plan.steps for each in step.sources}
    found = [registry.find(cast("Kind", kind), name) for kind, name in used]
    owners = {registry.owner(component) for component in found if component}
    rows = [
        {"name": info.name, "version": info.version, "owner": info.owner, "module": info.module}
        for info in owners
    ]
    return sorted(rows, key=lambda row: (row["name"], row["module"]))
