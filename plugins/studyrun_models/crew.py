"""Several threads that compute on one core each, instead of one that shares every product.

The rounding then depends neither on the batch nor on the number of cores, and no core waits for
another after every operation, which matters where operations are small or the machine is busy.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Work = Callable[[Sequence[int]], None]

__all__ = ["crew"]

FEW = 8
"""Rows that are not worth sharing between two threads."""


@contextmanager
def crew(device: torch.device, work: Work, few: int = FEW) -> Iterator[Work]:
    """`work`, on CPU shared among as many threads as torch has; elsewhere as it is.

    Every thread is given consecutive rows, about `few` at least, and runs in inference mode. If one
    raises, so does the whole, when all have ended.
    """
    if device.type != "cpu":
        yield work
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield partial(_share, pool, threads, few, torch.inference_mode()(work))
    finally:
        torch.set_num_threads(threads)


def _share(
    pool: ThreadPoolExecutor, threads: int, few: int, work: Work, rows: Sequence[int]
) -> None:
    parts = min(threads, -(-len(rows) // few))
    size = -(-len(rows) // parts)
    tasks = [pool.submit(work, rows[i : i + size]) for i in range(0, len(rows), size)]
    wait(tasks)
    for task in tasks:
        task.result()
