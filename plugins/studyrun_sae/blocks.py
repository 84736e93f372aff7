"""Rows in blocks of one fixed size, so that no result depends on the runtime's batch size."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["BLOCK", "blocks"]

BLOCK = 512
"""Rows per matrix product; part of what the last bit of a float32 depends on."""


def blocks(n: int) -> Iterator[slice]:
    """Consecutive slices of n rows, BLOCK at a time."""
    for start in range(0, n, BLOCK):
        yield slice(start, min(start + BLOCK, n))
