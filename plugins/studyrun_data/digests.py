"""What the keys know of files outside the study: their content, never their path."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from studyrun import StudyError
from studyrun_data.params import Gsm8k, Jsonl

__all__ = ["gsm8k", "jsonl", "without_library"]


def gsm8k(params: Gsm8k) -> str:
    """sha256 over the content of the file and of the indices; the hub's is its commit.

    Raises:
        StudyError: a file cannot be read, or the hub's library is not installed.
    """
    if lacks := without_library(params):
        raise StudyError(lacks)
    return _digest(path=params.path, indices=params.indices)


def jsonl(params: Jsonl) -> str:
    """sha256 over the content of the file.

    Raises:
        StudyError: it cannot be read.
    """
    return _digest(path=params.path)


def without_library(params: Gsm8k) -> str:
    """What to install, if the data set comes from the hub and the library is missing; or empty."""
    if params.hub is None or find_spec("datasets") is not None:
        return ""
    return (
        f'{params.hub} needs the datasets library: `pip install "studyrun[gsm8k]"`; or give the '
        "official file (`hub: null`, `path: train.jsonl`)"
    )


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
