"""Which concepts hold often enough, and not too often, to be worth testing."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from studyrun import Concept

__all__ = ["supported"]


def supported(
    problems: pl.DataFrame, concepts: Sequence[Concept], min_support: int
) -> list[Concept]:
    """Those that hold in at least `min_support` problems and fail in as many, in their order.

    A concept that holds everywhere says as little as one that holds nowhere.
    """
    if not concepts:
        return []
    counts = problems.select(
        concept.expr.sum().alias(str(index)) for index, concept in enumerate(concepts)
    ).row(0)
    most = problems.height - min_support
    return [
        concept for concept, n in zip(concepts, counts, strict=True) if min_support <= n <= most
    ]
