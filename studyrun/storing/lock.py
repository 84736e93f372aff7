"""One lock per key, held by the operating system: a killed process holds nothing.

The files in `locks/` are never removed and mean nothing by themselves.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from studyrun.errors import StoreBusy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["held"]

PAUSE = 0.2
"""Seconds between two attempts."""


@contextmanager
def held(file: Path, wait: float, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock of that file, waiting up to `wait` seconds for another process.

    `waiting` is called once, with the holder's process number, when there is something to wait for.

    Raises:
        StoreBusy: another process held it all that time.
    """
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _acquire(handle, file, wait, waiting)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, file: Path, wait: float, waiting: Callable[[str], None] | None) -> None:
    start = time.monotonic()
    told = waiting is None
    while not _taken(handle):
        waited = time.monotonic() - start
        if waited >= wait:
            raise StoreBusy(file.name, waited)
        if not told and waiting is not None:
            waiting(os.pread(handle, 20, 0).decode() or "unknown")
            told = True
        time.sleep(min(PAUSE, wait - waited))


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
