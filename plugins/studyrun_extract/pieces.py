"""How many problems are taken at once; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studyrun import ModelFacts
    from studyrun_extract.params import ExtractParams

__all__ = ["FLOAT", "MOST", "WHOLE", "at_once", "flops_of_a_token", "length_of_a_piece"]

FLOAT = 4
"""Bytes of a number of float32, in which activations are computed."""

MOST = 4096
"""Problems taken at once where a row is short and the model small."""
LEAST = 256
"""And where they are not: enough of about one length to fill batches."""
ROOM = 512 << 20
"""Bytes that the rows of a piece may take."""
LOST = {True: 1e12, False: 1e14}
"""Operations that a crash may cost, on CPU and elsewhere: some ten seconds' (a few minutes' where
LEAST problems of a large model are more)."""
TOKENS = 64
"""Of a problem, about."""
WHOLE = 128
"""A piece is a multiple of it, so that batches which a model takes as they come are the same."""


def at_once(row_bytes: int, token_flops: int, *, cpu: bool) -> int:
    """How many problems are taken at once; the same in every run.

    Args:
        row_bytes: of the activations of a problem.
        token_flops: operations of one token in the whole model.
        cpu: whether the model is on one.
    """
    fitting = ROOM // row_bytes
    quick = int(LOST[cpu]) // (TOKENS * max(1, token_flops))
    return min(MOST, max(LEAST, min(fitting, quick) // WHOLE * WHOLE))


def length_of_a_piece(params: ExtractParams, model: ModelFacts, *, cpu: bool) -> int:
    """The same for what a step asks of a model."""
    row = len(params.layers) * len(params.positions) * model.d_model
    return at_once(FLOAT * row, model.n_layers * flops_of_a_token(model), cpu=cpu)


def flops_of_a_token(model: ModelFacts) -> int:
    """Operations of one token in one block, attention to others aside: 2 for each weight.

    Where nobody counted the weights they are taken to be 12 d_model^2, as in GPT-2 and its kin.
    """
    return 2 * (model.block_parameters or 12 * model.d_model**2)
