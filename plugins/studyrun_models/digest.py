"""sha256 of files, remembered between runs for the large ones."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from studyrun import StudyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LARGE", "cache_file", "digest_by_role", "digest_of", "file_digest"]

LARGE = 256 << 20
"""Bytes from which on a file's digest is remembered; smaller ones take under 0.2 s."""
SETTLED = 5.0
"""Seconds that a file must have been left alone before its digest is remembered: a later change
then shows in its times, however coarse the file system's clock."""


def digest_of(folder: Path, names: Sequence[str]) -> str:
    """sha256 over the names and bytes of some files of a folder; where it lies does not count."""
    total = hashlib.sha256()
    for name in sorted(names):
        total.update(f"{name}\0{file_digest(folder / name)}\n".encode())
    return total.hexdigest()


def digest_by_role(files: Mapping[str, Path | None]) -> str:
    """sha256 over what each file is for and its bytes, in this order; its place does not count.

    Raises:
        StudyError: one cannot be read.
    """
    total = hashlib.sha256()
    for role, file in files.items():
        try:
            content = "none" if file is None else file_digest(file)
        except OSError as error:
            raise StudyError(f"{file}: cannot be read ({error.strerror})") from error
        total.update(f"{role} {content}\n".encode())
    return total.hexdigest()


def cache_file() -> Path:
    """Where the digests of large files are remembered; it can be deleted at any time."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "studyrun" / "digests.json"


def file_digest(file: Path) -> str:
    """sha256 of a file's bytes, remembered between runs for a large one."""
    stamp = _stamp(file)
    if file.stat().st_size < LARGE:
        return _compute(file)
    known = _remembered().get(stamp)
    if known is not None:
        return known
    digest = _compute(file)
    if _stamp(file) == stamp and time.time() - file.stat().st_ctime > SETTLED:
        _remember(stamp, digest)
    return digest


def _compute(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _stamp(file: Path) -> str:
    """What cannot stay the same when the file's bytes change (nobody can set a ctime)."""
    facts = file.resolve().stat()
    numbers = (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino, facts.st_dev)
    return " ".join(map(str, numbers)) + f" {file.resolve()}"


def _remembered() -> Mapping[str, str]:
    """The remembered digests; none where the file is missing or is not ours."""
    try:
        known = json.loads(cache_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {stamp: text for stamp, text in known.items() if isinstance(text, str)}


def _remember(stamp: str, digest: str) -> None:
    """Add one entry; a cache that cannot be written is only slower, so it is let be."""
    path = stamp.split(" ", 5)[-1]
    others = {k: v for k, v in _remembered().items() if k.split(" ", 5)[-1] != path}
    with contextlib.suppress(OSError):
        cache_file().parent.mkdir(parents=True, exist_ok=True)
        _replace(cache_file(), json.dumps({**others, stamp: digest}, indent=1))


def _replace(file: Path, text: str) -> None:
    """Write beside and rename, so that a reader sees the old file or the new one."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
