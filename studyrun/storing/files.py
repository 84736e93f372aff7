"""Files that survive a crash: written beside, flushed to disk, moved into place in one step."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from studyrun.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "copy_file",
    "flush",
    "link_file",
    "point_link",
    "put_file",
    "replace_file",
    "sha256_of",
    "writing",
]

FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def writing(place: Path, option: str = "--out") -> Iterator[None]:
    """Turn the operating system's refusals into a StudyError that names place and cure."""
    try:
        yield
    except OSError as error:
        cause = error.strerror or str(error)
        raise StudyError(
            f"cannot write to {place}: {cause}; {_cure(error.errno, option)}"
        ) from error


def _cure(code: int | None, option: str) -> str:
    if code in FULL:
        return f"free some space (what is finished is kept), or choose another folder with {option}"
    if code in REFUSED:
        return f"make it writable for you, or choose another folder with {option}"
    return f"choose another folder with {option}"


def sha256_of(path: Path) -> str:
    """sha256, in hex, of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Wait until a file's bytes, or a folder's entries, have reached the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file in one step, and wait until the disk has it."""
    with _beside(path) as file:
        file.write_bytes(content)
        flush(file)
    flush(path.parent)


def put_file(path: Path, content: bytes) -> None:
    """Write a file that can be made again in one step, without waiting for the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _beside(path) as file:
        file.write_bytes(content)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """What takes the file's place at the end: a reader sees the old bytes or the new, whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def copy_file(source: Path, target: Path) -> None:
    """A copy of its own, writable by its owner."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def link_file(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where the file system has no hard links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except FileExistsError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def point_link(link: Path, target: str) -> None:
    """Let `link` point at its sibling `target`, replaced in one step.

    Where symbolic links are not allowed, a text file of that name holds the sibling's name.
    """
    beside = link.with_name(f".{link.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        beside.unlink()
    try:
        beside.symlink_to(target, target_is_directory=True)
    except OSError:
        beside.write_text(f"{target}\n", encoding="utf-8")
    beside.replace(link)
