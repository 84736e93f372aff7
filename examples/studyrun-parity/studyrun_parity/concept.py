"""The concept `parity`: is the answer an even number?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from studyrun import Concept

if TYPE_CHECKING:
    from studyrun_parity.params import Parity

__all__ = ["parity"]


def parity(problems: pl.DataFrame, params: Parity) -> list[Concept]:  # noqa: ARG001  # fixed
    """`answer is even`, and `answer is odd` if asked for; a missing answer is neither."""
    remainder = pl.col("answer").mod(2)
    concepts = [Concept("answer is even", "parity", (remainder == 0).fill_null(value=False))]
    if params.odd:
        concepts.append(Concept("answer is odd", "parity", (remainder == 1).fill_null(value=False)))
    return concepts
