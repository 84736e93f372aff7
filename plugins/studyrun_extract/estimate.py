"""What an `extract` step will about take; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun import CheckScope, Estimate, ModelFacts
from studyrun_data.sizes import size_of
from studyrun_extract.pieces import FLOAT, flops_of_a_token, length_of_a_piece

if TYPE_CHECKING:
    from studyrun_extract.params import ExtractParams

__all__ = ["estimate"]

AT_ONCE = 64
"""Problems in a batch, unless the study says otherwise."""
LIBRARIES = 100_000_000
"""Bytes that the first pass of any model takes, however small it is."""


def estimate(params: ExtractParams, scope: CheckScope) -> Estimate | None:
    """One pass over every problem, thoughts included, as far as the deepest and last site.

    flops = problems * tokens * blocks * 2 * weights of a block;
    bytes = one piece of the activations, and the keys and values of one batch
    """
    size, model = size_of(scope.steps.values()), scope.model
    if size is None or model is None:
        return None
    thoughts = _thoughts(params, model)
    blocks = max(params.layers) + 1 if thoughts is None else model.n_layers
    tokens = size.tokens + (thoughts or 0)
    row = len(params.layers) * len(params.positions) * model.d_model
    piece = min(size.problems, length_of_a_piece(params, model, cpu=False)) * row
    batch = min(AT_ONCE, size.problems) * tokens * blocks * 2 * model.d_model
    also = f" and {thoughts} thoughts" if thoughts else ""
    return Estimate(
        flops=float(size.problems * tokens * blocks * flops_of_a_token(model)),
        bytes=FLOAT * (piece + batch) + LIBRARIES,
        note=f"{size.problems:,} problems of about {size.tokens} tokens{also}, {blocks} blocks",
    )


def _thoughts(params: ExtractParams, model: ModelFacts) -> int | None:
    """How many thoughts are made; None for a model that makes none.

    Every thought is fed from the last block, so that no block can be left out before it.
    """
    if model.positions is None:
        return None
    return max((each for each in params.positions if isinstance(each, int)), default=0)
