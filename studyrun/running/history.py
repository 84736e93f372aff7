"""The record that a run leaves (`run.json`), and finding the latest one of a study."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studyrun.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["EVENTS", "LATEST", "RECORD", "RUNS_OWN", "STORE", "History", "read_record", "resolve"]

RECORD = "run.json"
EVENTS = "events.jsonl"
RUNS_OWN = (RECORD, EVENTS)
"""Files of a run's folder that no page may replace."""
LATEST = "latest"
STORE = "store"
"""The store's folder, beside those of the studies."""


@dataclass(frozen=True, slots=True)
class History:
    """What the latest run of a study recorded; empty where there is none."""

    record: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> History:
        """The history of the study whose runs are in `<out>/<study>/`; touches nothing."""
        try:
            return cls(read_record(resolve(folder / LATEST)))
        except UsageError:
            return cls()

    def step(self, cell: str, name: str) -> Mapping[str, Any] | None:
        """What was recorded of that step, or None."""
        steps = self.record.get("cells", {}).get(cell, {}).get("steps", {})
        found: Mapping[str, Any] | None = steps.get(name)
        return found


def resolve(path: Path) -> Path:
    """The run's folder: `latest` may be a link, or a text file where links are not allowed.

    Any other file, like the record or the page, stands for the folder in which it lies.
    """
    if not path.is_file():
        return path.resolve()
    if path.name == LATEST:
        return path.parent / path.read_text(encoding="utf-8").strip()
    return path.parent.resolve()


def read_record(folder: Path) -> dict[str, Any]:
    """`run.json` of a run's folder.

    Raises:
        UsageError: there is none, or it is not a run's record.
    """
    try:
        record = json.loads((folder / RECORD).read_bytes())
    except OSError as error:
        raise UsageError(f"{folder} is not a run: no {RECORD} in it") from error
    except ValueError as error:
        raise UsageError(f"{folder / RECORD} is not a run's record: {error}") from error
    if not isinstance(record, dict) or "cells" not in record:
        raise UsageError(f"{folder / RECORD} is not a run's record: it has no cells")
    return record
