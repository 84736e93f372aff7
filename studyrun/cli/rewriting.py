"""Writing files into a folder that may hold an earlier version of them, and somebody's own files.

What was written is listed there with its sha256, in the form that `sha256sum --check` reads. Only
a file that is still as the list says is replaced or taken away, so nothing else is ever lost.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from studyrun.errors import UsageError
from studyrun.storing import contents
from studyrun.storing.files import put_file, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["rewrite"]

LIST = "files.sha256"

Digests = dict[str, set[str]]
"""Name -> the sha256 of every version that was written, or was about to be."""


def rewrite(folder: Path, files: Mapping[str, bytes], last: str) -> None:
    """Let the folder hold these files instead of those that were written so before.

    Args:
        folder: made if it is not there.
        files: contents by name.
        last: the one that is written after the others.

    Raises:
        UsageError: one of them would replace a file that is not as it was written so.
        OSError: the disk refuses.
    """
    before = _listed(folder)
    now = {name: {hashlib.sha256(content).hexdigest()} for name, content in files.items()}
    both = {name: before.get(name, set()) | now.get(name, set()) for name in {**before, **now}}
    for name in files:
        if (folder / name).exists() and not _is_ours(folder, name, both):
            raise UsageError(_lost(folder / name, written=name in before))
    _put_list(folder, both)  # first: whatever is cut short here can be written again
    for name in sorted(files, key=lambda name: name == last):
        put_file(folder / name, files[name])
    _take_away(folder, [name for name in before if name not in now], before)
    _put_list(folder, now)


def _listed(folder: Path) -> Digests:
    """What was written so before; a line that names no file inside the folder is none of ours."""
    found: Digests = {}
    try:
        lines = (folder / LIST).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return found
    for line in lines:
        digest, _, name = line.partition("  ")
        if name and contents.fault_of_files({name: b""}) is None:
            found.setdefault(name, set()).add(digest)
    return found


def _put_list(folder: Path, digests: Digests) -> None:
    lines = sorted(f"{each}  {name}\n" for name in digests for each in digests[name])
    put_file(folder / LIST, "".join(lines).encode())


def _is_ours(folder: Path, name: str, digests: Digests) -> bool:
    file = folder / name
    return file.is_file() and sha256_of(file) in digests[name]


def _lost(file: Path, *, written: bool) -> str:
    what = "was changed since it was written" if written else "is not from an earlier comparison"
    return f"{file} {what}; move it, or name another folder with --into"


def _take_away(folder: Path, names: Iterable[str], digests: Digests) -> None:
    """Remove these where they are as they were written, and folders that become empty."""
    for name in names:
        file = folder / name
        if _is_ours(folder, name, digests):
            file.unlink()
        for parent in file.relative_to(folder).parents[:-1]:
            with suppress(OSError):
                (folder / parent).rmdir()
