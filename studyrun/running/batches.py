"""Work in pieces that shrink when memory runs out."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any

from studyrun.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["DEFAULT_BATCH", "free", "in_batches", "is_out_of_memory"]

DEFAULT_BATCH = 64
"""Rows at once where the study does not say."""
CPU_ALLOCATOR = ("can't allocate memory", "not enough memory")
"""What torch's RuntimeErrors say when the processor's memory runs out."""


def in_batches(
    work: Callable[[Sequence[int]], None],
    order: Sequence[int],
    size: int,
    done: Callable[[int], Any],
    shrunk: Callable[[int], Any],
) -> None:
    """Call `work` on consecutive pieces of `order`, at most `size` long.

    When memory runs out, the piece is halved and tried again, and later pieces stay that small.
    `work` may thus see the same rows twice; it must write each row to its own place.

    Args:
        work: what is done with a piece.
        order: the rows, in the order in which they are taken.
        size: the first length to try.
        done: told the number of rows of every piece that worked.
        shrunk: told the new length.

    Raises:
        StudyError: memory runs out with a single row.
    """
    start = 0
    while start < len(order):
        piece = order[start : start + size]
        if _fits(work, piece):
            start += len(piece)
            done(len(piece))
        elif len(piece) == 1:
            raise StudyError(
                "out of memory with a single row at a time; use runtime.device: cpu, "
                "runtime.dtype: bfloat16, or ask for fewer layers and positions at once"
            )
        else:
            size = len(piece) // 2
            shrunk(size)


def _fits(work: Callable[[Sequence[int]], None], piece: Sequence[int]) -> bool:
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
