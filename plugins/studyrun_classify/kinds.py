"""Kinds of labels, and which of them say something of a feature."""

from __future__ import annotations

import polars as pl

__all__ = ["KINDS", "UNSPECIFIC", "is_labelled"]

KINDS = ("operation", "value", "pattern", "general", "insufficient")
"""The kinds that always have a row in `distribution`; others follow them by name."""
UNSPECIFIC = ("general", "insufficient", "unknown")
"""Kinds that say nothing of what a feature stands for."""


def is_labelled() -> pl.Expr:
    """Whether a feature's `kind` is that of a label; false where it is null."""
    return ~pl.col("kind").fill_null(UNSPECIFIC[0]).is_in(UNSPECIFIC)
