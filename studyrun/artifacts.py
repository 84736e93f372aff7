"""Artifacts: what a step returns (`Result`) and what the store opens again (`Artifact`).

On disk an artifact is a folder: `manifest.json`, `<table>.parquet`, `tensors.safetensors` and
other files. The main table is called `table`; SQL and `tables/` know it by its step's name, and
any other table as `<step>_<name>`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import polars as pl
    from torch import Tensor

__all__ = ["MAIN_TABLE", "TENSORS", "Artifact", "Manifest", "Result", "StoredFile"]

MAIN_TABLE = "table"
TENSORS = "tensors.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What a step hands to the runner, which stores it under the step's key."""

    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Stored as Parquet; the main one is called `table`."""
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    """Stored together as safetensors."""
    tensor_file: Path | None = None
    """In place of `tensors`, where these are larger than memory: a finished safetensors file below
    the step's `scratch()` or `partial()`, which moves into the store without being read again."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """Small JSON facts (shapes, sites, metrics); no clock times, so that bytes repeat."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Anything else, by relative name (`report.html`)."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Size in bytes and sha256 of one file of an artifact."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`manifest.json`: what an artifact is and what its files must look like."""

    key: str
    type: str
    made_by: str
    """`<step component> <version>`."""
    meta: dict[str, Any]
    files: dict[str, StoredFile]
    sources: dict[str, str] = field(default_factory=dict)
    """`<kind> <component>` -> digest of its source: says when code changed under a version."""


class Artifact:
    """A stored artifact opened for reading; every file is verified before its first use.

    Plugins subclass this for typed views (`Component(kind="artifact")`).
    """

    def __init__(self, folder: Path, manifest: Manifest, verify: Callable[[str], Path]) -> None:
        self.folder, self.manifest, self._verify = folder, manifest, verify

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.manifest.type} {self.manifest.key[:12]}>"

    @property
    def meta(self) -> Mapping[str, Any]:
        """The small facts that the step recorded."""
        return self.manifest.meta

    @property
    def key(self) -> str:
        """The content key under which it is stored."""
        return self.manifest.key

    @property
    def table(self) -> pl.DataFrame:
        """The main table."""
        return self.read_table(MAIN_TABLE)

    @property
    def table_names(self) -> tuple[str, ...]:
        """The names of all tables, the main one first."""
        names = [n.removesuffix(".parquet") for n in self.manifest.files if n.endswith(".parquet")]
        return tuple(sorted(names, key=lambda name: (name != MAIN_TABLE, name)))

    def read_table(self, name: str) -> pl.DataFrame:
        """The table of that name, memory-mapped where polars can.

        Raises:
            KeyError: there is no such table; the message lists those that exist.
        """
        import polars as pl

        return pl.read_parquet(self.file(f"{name}.parquet"))

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, memory-mapped, on CPU."""
        from safetensors.torch import load_file

        return load_file(self.file(TENSORS))

    def file(self, name: str) -> Path:
        """The verified path of one file.

        Raises:
            KeyError: there is no such file; the message lists those that exist.
            ArtifactDamaged: its bytes differ from the manifest.
        """
        if name not in self.manifest.files:
            raise KeyError(f"{self!r} has no {name}; it has {', '.join(self.manifest.files)}")
        return self._verify(name)
