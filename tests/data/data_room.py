"""What the tests of this room share: components loaded as the runner loads them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studyrun import CheckScope, Fault, Result
from studyrun.registry import Registry


@dataclass
class Surroundings:
    """The part of a run's context that a data set uses."""

    seed: int = 0
    notes: list[str] = field(default_factory=list)

    def note(self, message: str) -> None:
        self.notes.append(message)


REGISTRY = Registry.load()


def load(name: str, folder: Path | None = None, study_seed: int = 0, **given: Any) -> Result:
    """The artifact of a data component with these parameters."""
    bound = REGISTRY.bind("data", {"use": name, "with": given}, folder)
    return bound.load()(bound.params, Surroundings(study_seed))


def faults(name: str, folder: Path | None = None, **given: Any) -> list[Fault]:
    """What the component's check finds."""
    from importlib import import_module

    bound = REGISTRY.bind("data", {"use": name, "with": given}, folder)
    module, _, function = bound.component.check.partition(":")
    return list(getattr(import_module(module), function)(bound.params, CheckScope()))


def write_lines(file: Path, *records: Any) -> Path:
    """A JSON Lines file; strings are written as they are."""
    lines = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")
    return file
