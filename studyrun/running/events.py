"""What happens in a run, as it happens: a line of `events.jsonl`, and a copy for every observer.

Every event has `time` (UTC) and `event`; those of a step also `cell` and `step`.

| event | said when | further facts |
| --- | --- | --- |
| `run-started` | the plan is known | `study`, `run`, `steps` |
| `step-started` | a step's target is about to be called | `component`, `key`, `reasons` |
| `step-finished` | its artifact is stored | `component`, `key`, `seconds` |
| `step-reused` | its artifact was there already | `component`, `key`, `reasons` |
| `step-failed` | it raised | `message` |
| `step-blocked` | something that it needs is not there | `reasons` |
| `note` | a step has something to say | `message` |
| `warning` | something deserves a look, and changes nothing | `message` |
| `waiting` | another process makes the same artifact | `message`, `key` |
| `damaged` | a stored file is not as it was written | `message`, `key` |
| `run-finished` | the run ends, well or not | `status`, `seconds` |

Steps that are made at once say in `together` how many they are when they start and finish; then
`seconds` are those of all so far. One that comes back without a result starts again, alone.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Event", "Events", "now"]

Event = dict[str, Any]


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Events:
    """Tells the file, the observers and the display, in this order."""

    def __init__(
        self,
        file: Path,
        observers: Callable[[Mapping[str, Any]], list[str]],
        display: Callable[[Event], None],
    ) -> None:
        self._file, self._observers, self._display = file, observers, display
        self.warnings: list[str] = []
        """The messages of every `warning` so far."""

    def tell(self, event: str, **facts: Any) -> None:
        """Record that something happened. An observer that fails becomes a warning."""
        record: Event = {"time": now(), "event": event, **facts}
        if event == "warning":
            self.warnings.append(facts["message"])
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._display(record)
        for warning in self._observers(record):
            self.tell("warning", message=warning)
