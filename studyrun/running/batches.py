"""Work in pieces that shrink when memory runs out."""

from __future__ import annotations

import gc
import sys
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any

from studyrun.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    Work = Callable[[Sequence[int]], None]

__all__ = ["DEFAULT_BATCH", "free", "in_batches", "is_out_of_memory", "runs_of"]

DEFAULT_BATCH = 64
"""Rows at once where the study does not say."""
CPU_ALLOCATOR = ("can't allocate memory", "not enough memory")
"""What torch's RuntimeErrors say when the processor's memory runs out."""


def in_batches(
    work: Work,
    runs: Sequence[Sequence[int]],
    size: int,
    done: Callable[[int], Any],
    shrunk: Callable[[int], Any],
    threads: int = 1,
) -> None:
    """Call `work` on consecutive pieces of each run of rows, at most `size` long.

    When memory runs out, the piece is halved and tried again, and later pieces stay that small.
    `work` may thus see the same rows twice; it must write each row to its own place.

    Args:
        work: what is done with a piece.
        runs: rows that may be together in a piece, in the order in which they are taken.
        size: the first length to try.
        done: told the number of rows of every piece that worked.
        shrunk: told the new length.
        threads: pieces that are worked on at the same time, each in a thread.

    Raises:
        StudyError: memory runs out with a single row.
    """
    left = [run for run in reversed(runs) if len(run)]
    size = min(size, -(-sum(map(len, left)) // threads))  # so that no thread is without any
    with _workers(threads) as submit:
        running: dict[Future[bool], tuple[Sequence[int], bool]] = {}
        while left or running:
            while left and len(running) < threads:
                piece = _next(left, size)
                running[submit(_fits, work, piece)] = piece, threads == 1
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                piece, alone = running.pop(future)
                if future.result():
                    done(len(piece))
                    continue
                left.append(piece)
                if len(piece) == 1 and not alone:  # others held the memory: now one by one
                    threads = 1
                elif len(piece) <= size:  # else another piece has found out before
                    size = _halved(piece)
                    shrunk(size)


def runs_of(order: Sequence[int], alike: Callable[[int], Hashable] | None) -> list[Sequence[int]]:
    """The order, cut where `alike` gives another value; uncut if it is None."""
    if alike is None:
        return [order]
    return [list(run) for _, run in groupby(order, key=alike)]


def _next(left: list[Sequence[int]], size: int) -> Sequence[int]:
    """Take a piece from the last of `left`, which are cut into equal parts as far as possible."""
    run = left.pop()
    end = -(-len(run) // -(-len(run) // size))
    if end < len(run):
        left.append(run[end:])
    return run[:end]


def _halved(piece: Sequence[int]) -> int:
    if len(piece) == 1:
        raise StudyError(
            "out of memory with a single row at a time; use runtime.device: cpu, "
            "runtime.dtype: bfloat16, or ask for fewer layers and positions at once"
        )
    return len(piece) // 2


@contextmanager
def _workers(threads: int) -> Iterator[Callable[..., Future[bool]]]:
    """What hands work to a thread; with one thread it is the caller's own."""
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            yield pool.submit
        return
    yield _at_once


def _at_once(work: Callable[..., bool], *given: Any) -> Future[bool]:
    done: Future[bool] = Future()
    done.set_result(work(*given))
    return done


def _fits(work: Work, piece: Sequence[int]) -> bool:
    try:
        work(piece)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    else:
        return True
    free()  # after the except block: the traceback held what the piece had allocated
    return False


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on the processor or the GPU."""
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError):
        return True
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and any(words in text for words in CPU_ALLOCATOR)


def free() -> None:
    """Give back the memory that nothing refers to any more, the GPU's among it."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
