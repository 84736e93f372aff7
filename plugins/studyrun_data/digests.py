"""What the keys know of files outside the study: their content, never their path."""

from __future__ import annotations

import hashlib
from pathlib import Path

from studyrun import StudyError
from studyrun_data.params import Gsm8k, Jsonl

__all__ = ["gsm8k", "jsonl"]


def gsm8k(params: Gsm8k) -> str:
    """sha256 over the content of the file and of the indices; the hub's is its commit.

    Raises:
        StudyError: a file cannot be read.
    """
    return _digest(path=params.path, indices=params.indices)


def jsonl(params: Jsonl) -> str:
    """sha256 over the content of the file.

    Raises:
        StudyError: it cannot be read.
    """
    return _digest(path=params.path)


def _digest(**files: str | None) -> str:
    total = hashlib.sha256()
    for role, file in sorted(files.items()):
        content = "none" if file is None else _sha256(Path(file))
        total.update(f"{role} {content}\n".encode())
    return total.hexdigest()


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise StudyError(f"{file}: cannot be read ({error.strerror})") from error
