"""How a study is run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from studyrun.running.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Options"]


@dataclass(frozen=True, slots=True)
class Options:
    """How to run; none of it can change a result."""

    keep_going: bool = False
    """After a failure, run what does not need the failed step."""
    wait: float = 0.0
    """Seconds to wait for another process that makes the same artifact."""
    progress: Progress = field(default_factory=Progress)
    study_file: Path | None = None
    """Where the study stands, for the record and for messages."""
    command: str | None = None
    """What was typed, if the run was started so; for the record."""
    rerun: str | None = None
    """The command that does the same again, if there is a file; for the record."""
    lines: dict[str, str] = field(default_factory=dict)
    """Step -> `file:line` in the study, for messages."""
