"""Several threads that compute on one core each, instead of one that shares every product.

The rounding then depends neither on the batch nor on the number of cores, and no core waits for
another after every operation, which matters where operations are small or the machine is busy.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Work = Callable[[Sequence[int]], None]

__all__ = ["crew"]


@contextmanager
def crew(device: torch.device, work: Work) -> Iterator[tuple[Work, int]]:
    """`work` in inference mode, and in how many threads: on CPU as many as torch has, else one.

    Inside, torch computes on one core in each of them.
    """
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads > 1:
        torch.set_num_threads(1)
    try:
        yield torch.inference_mode()(work), threads
    finally:
        if threads > 1:
            torch.set_num_threads(threads)
