"""How many problems are taken at once; imports nothing heavy."""

from __future__ import annotations

__all__ = ["MOST", "WHOLE", "at_once"]

MOST = 4096
"""Problems taken at once where a row is short."""
LEAST = 256
"""And where it is long: enough of about one length to fill batches."""
ROOM = 512 << 20
"""Bytes that the rows of a piece may take."""
WHOLE = 128
"""A piece is a multiple of it, so that batches which a model takes as they come are the same."""


def at_once(row_bytes: int) -> int:
    """How many problems are taken at once, when each takes so many bytes."""
    fitting = ROOM // row_bytes // WHOLE * WHOLE
    return min(MOST, max(LEAST, fitting))
