"""A tensor that grows on disk block by block, and is gone on with after a crash.

The file is a safetensors file from the beginning, except that its header is written last. A block
counts once its line stands in the journal, which is written after the block has reached the disk.
Blocks found there are read again and compared with the sha256 in their lines.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from studyrun import StudyError

__all__ = ["Block", "Growing"]

DTYPES = {torch.float32: "F32", torch.bfloat16: "BF16"}
ROOM = 512
"""Bytes in front of the numbers: 8 that say how long the header is, the header, and blanks."""
LENGTH = 8
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Block:
    """One line of the journal."""

    rows: int
    """How many rows it added."""
    sha256: str
    """Of their bytes."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What else is to be known of it, as JSON."""


class Growing:
    """A tensor of rows in a folder; what was finished there is kept if `made_by` is the same."""

    def __init__(
        self,
        folder: Path,
        name: str,
        row: Sequence[int],
        dtype: torch.dtype,
        made_by: Mapping[str, Any],
    ) -> None:
        """Open it, or begin anew.

        Args:
            folder: holds this tensor alone.
            name: of the tensor in the file.
            row: shape of a row.
            dtype: of the numbers in the file.
            made_by: everything that decides what a block holds and that the folder does not stand
                for; blocks made by something else are thrown away.
        """
        self.file, self._journal = folder / "tensor", folder / "blocks.jsonl"
        self._name, self.row, self._dtype = name, tuple(row), dtype
        self._first = json.dumps([name, list(row), str(dtype), dict(made_by)], sort_keys=True)
        with _writing(self.file):
            self.blocks = self._sound()
            self._cut()

    @property
    def rows(self) -> int:
        """How many there are so far."""
        return sum(block.rows for block in self.blocks)

    def append(self, rows: Tensor, facts: Mapping[str, Any] | None = None) -> None:
        """Add a block (n, *row); once this returns, no crash takes it away."""
        assert tuple(rows.shape[1:]) == self.row, f"rows are {tuple(rows.shape[1:])}"
        plain = rows.to(self._dtype).contiguous().view(-1).view(torch.uint8)
        data: Any = plain.numpy().data  # its own memory, not a copy
        block = Block(len(rows), hashlib.sha256(data).hexdigest(), dict(facts or {}))
        with _writing(self.file):
            with self.file.open("r+b") as file:
                file.seek(self._end())
                file.write(data)
                _flush(file)
            self._note(json.dumps(asdict(block)))
        self.blocks.append(block)

    def finish(self) -> Path:
        """Write the header; returns the finished safetensors file."""
        end = self._end() - ROOM
        facts = {
            "dtype": DTYPES[self._dtype],
            "shape": [self.rows, *self.row],
            "data_offsets": [0, end],
        }
        header = json.dumps({self._name: facts}, separators=(",", ":")).encode()
        assert len(header) <= ROOM - LENGTH, "the header does not fit"
        text = header.ljust(ROOM - LENGTH)
        with _writing(self.file), self.file.open("r+b") as file:
            file.write(len(text).to_bytes(LENGTH, "little") + text)
        return self.file

    # Helpers

    def _end(self) -> int:
        return ROOM + self.rows * prod(self.row) * self._dtype.itemsize

    def _note(self, line: str) -> None:
        with self._journal.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
            _flush(file)

    def _sound(self) -> list[Block]:
        """The blocks that are there as their lines say, up to the first that is not."""
        lines = _whole_lines(self._journal)
        if not lines or lines[0] != self._first or not self.file.is_file():
            return []
        width, found = prod(self.row) * self._dtype.itemsize, []
        with self.file.open("rb") as file:
            file.seek(ROOM)
            for line in lines[1:]:
                block = msgspec.json.decode(line, type=Block)
                if _sha256(file, block.rows * width) != block.sha256:
                    break
                found.append(block)
        return found

    def _cut(self) -> None:
        """Leave nothing behind the last sound block, in the file and in the journal."""
        self.file.touch()
        self.file.chmod(0o644)  # a crash after the store sealed it left it read-only
        with self.file.open("r+b") as file:
            file.truncate(self._end())
        self._journal.unlink(missing_ok=True)
        self._note("\n".join([self._first, *(json.dumps(asdict(each)) for each in self.blocks)]))


def _whole_lines(journal: Path) -> list[str]:
    """The lines of a journal; one that a crash cut off has no end and is left out."""
    if not journal.is_file():
        return []
    return journal.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]


def _sha256(file: Any, size: int) -> str:
    """Of the next `size` bytes of a file; of fewer where it ends."""
    total = hashlib.sha256()
    while size > 0 and (piece := file.read(min(size, PIECE))):
        total.update(piece)
        size -= len(piece)
    return total.hexdigest()


def _flush(file: Any) -> None:
    """Wait until the bytes have reached the disk."""
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cause = error.strerror or str(error)
        cure = "free some space or use --out; what is finished is kept"
        raise StudyError(f"cannot write to {file.parent}: {cause}; {cure}") from error
