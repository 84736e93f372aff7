"""What training an SAE will about take; imports nothing heavy."""

from __future__ import annotations

from studyrun import CheckScope, Estimate
from studyrun_data.sizes import size_of
from studyrun_sae.params import K_SPARSE, SaeTrain

__all__ = ["estimate", "member_bytes", "site_bytes"]

FLOAT = 4
PASSES = 6
"""Operations for each row and weight: 2 forward, 4 for the gradients."""
UPDATE = 60
"""What an optimiser's step costs for each weight: it waits for memory, not for arithmetic."""
COPIES = 6
"""Of the weights: gradients, Adam's two means, what is made on the way. Of a batch's z likewise."""

OF_A_BATCH = 12
"""Matrices (batch, d_sae) at the peak of a stacked step, with places and masks of the chosen."""


def estimate(params: SaeTrain, scope: CheckScope) -> Estimate | None:
    """The products over all rows and epochs, and the steps of the optimiser.

    flops = epochs * (6 rows d_in (d_sae + decoded) + 60 steps * 2 d_in d_sae), where decoded is k
    if the architecture is k-sparse by itself, else d_sae;
    bytes = copies of the rows, of the weights and of one batch's activations
    """
    size, model = size_of(scope.steps.values()), scope.model
    if size is None or model is None or not size.train:
        return None
    rows, d_in, d_sae = size.train, model.d_model, params.d_sae
    steps = -(-rows // params.batch_size)
    weights, batch = 2 * d_in * d_sae, min(params.batch_size, rows) * d_sae
    decoded = params.k if params.architecture in K_SPARSE else d_sae
    epoch = PASSES * rows * d_in * (d_sae + decoded) + UPDATE * steps * weights
    return Estimate(
        flops=float(params.epochs * epoch),
        bytes=FLOAT * (3 * rows * d_in + COPIES * (weights + batch)),
        note=f"{params.epochs} epochs of {rows:,} rows, {d_in} x {d_sae:,} features",
    )


def member_bytes(params: SaeTrain, batch: int, d_in: int) -> int:
    """Bytes of one SAE in a stack: what is learnt, its gradients and means, a batch on its way.

    4 (6 * 2 d_in d_sae + batch (12 d_sae + 8 d_in))
    """
    learnt = COPIES * 2 * d_in * params.d_sae
    return FLOAT * (learnt + batch * (OF_A_BATCH * params.d_sae + 8 * d_in))


def site_bytes(rows: int, d_in: int) -> int:
    """Bytes of the rows of one site: all of them, those of the train split, these scaled."""
    return FLOAT * 3 * rows * d_in
