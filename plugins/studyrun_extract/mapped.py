"""A tensor in a file, of which nothing is read but what is asked for, however large it is.

numpy maps files for reading alone. torch and safetensors map them so that they could be written to,
which the system refuses for a file that is larger than the memory.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studyrun_extract.headers import Header, header_of

__all__ = ["Mapped", "mapped"]

NUMPY = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""numpy has no bfloat16: its bits are read as whole numbers."""
AHEAD = 128 << 10
"""Bytes that the system reads ahead."""


class Mapped:
    """What stands behind it is an array that is mapped, or a tensor that is."""

    def __init__(self, source: Any, dtype: torch.dtype) -> None:
        self._source, self.dtype = source, dtype
        self.shape: tuple[int, ...] = tuple(source.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Tensor:
        """That part, read into memory of its own, float32."""
        if isinstance(self._source, Tensor):
            return self._source[index].float()
        part = torch.from_numpy(np.array(self._source[index]))
        return part.view(self.dtype).float()

    def site(self, layer: int, position: int) -> Tensor:
        """The rows (n, d_model) of one site, given by its places along the axes.

        Where rows are long the system is told not to read what lies between: 1,000 rows of 64 MB
        took 8 s without, and 0.02 s with it.
        """
        if self._source.strides[0] >= AHEAD and hasattr(mmap, "MADV_RANDOM"):
            self._source._mmap.madvise(mmap.MADV_RANDOM)
        return self[:, layer, position]


def mapped(file: Path, name: str, header: Header | None = None) -> Mapped:
    """The tensor of that name in a file of safetensors.

    Raises:
        StudyError: the file has none, or is not whole.
    """
    told = header_of(file, name) if header is None else header
    assert told.shape is not None
    dtype = NUMPY[told.dtype]
    source = np.memmap(file, dtype, "r", told.offset, told.shape)
    held = torch.bfloat16 if told.dtype == "BF16" else torch.from_numpy(np.empty(0, dtype)).dtype
    return Mapped(source, held)
