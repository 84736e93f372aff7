"""Training that outlives a crash: its state in a folder, and what each epoch came to.

`metrics.jsonl` has a line for every epoch, as it ends; `state` is everything from which training
goes on, now and then. Both are gone once the SAE is stored, which holds the history itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from studyrun import StudyError

__all__ = ["Keeper", "State"]

EVERY = 30.0
"""Seconds between two states on disk: what a crash costs at most, an epoch apart."""


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Training between two epochs."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]
    """The rest, as JSON."""


@dataclass(eq=False)
class Keeper:
    """A folder of one training alone."""

    folder: Path
    made_by: Mapping[str, Any]
    """What decides the bytes and the folder does not stand for; another's state is not used."""
    every: float = EVERY
    _last: float = field(default_factory=time.monotonic)

    def found(self) -> State | None:
        """The state that an earlier attempt left; None if there is none, or it is damaged."""
        file = self.folder / "state"
        try:
            told = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
            if told["made_by"] != self.made_by or told["sha256"] != _sha256(file):
                return None
            with safe_open(file, framework="pt") as tensors:
                return State({name: tensors.get_tensor(name) for name in tensors.keys()}, told)  # noqa: SIM118  # no mapping
        except (OSError, ValueError, KeyError, SafetensorError):
            return None

    @property
    def epochs(self) -> int:
        """How many epochs an earlier attempt says that it has kept; only `found` checks it."""
        try:
            told = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
            return len(told["history"]) if told["made_by"] == self.made_by else 0
        except (OSError, ValueError, KeyError):
            return 0

    def begin(self, history: Iterable[Mapping[str, Any]]) -> None:
        """Write the epochs that there are so far."""
        lines = "".join(f"{json.dumps(row)}\n" for row in history)
        self._replace("metrics.jsonl", lines.encode())

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Write the line of an epoch that has ended."""
        try:
            with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(row)}\n")
        except OSError as error:
            raise self._refused(error) from error

    @property
    def due(self) -> bool:
        """Whether the state on disk is old enough."""
        return time.monotonic() - self._last >= self.every

    def keep(self, state: State) -> None:
        """Put a state in place of the one before; a crash meanwhile leaves at most none."""
        beside = self.folder / "state.new"
        try:
            save_file({name: t.contiguous() for name, t in state.tensors.items()}, beside)
            beside.replace(self.folder / "state")
        except OSError as error:
            raise self._refused(error) from error
        told = {**state.facts, "made_by": self.made_by, "sha256": _sha256(self.folder / "state")}
        self._replace("state.json", json.dumps(told).encode())
        self._last = time.monotonic()

    def _replace(self, name: str, content: bytes) -> None:
        beside = self.folder / f"{name}.new"
        try:
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.folder / name)
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> StudyError:
        cause = error.strerror or str(error)
        return StudyError(f"cannot write to {self.folder}: {cause}; free some space or use --out")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
