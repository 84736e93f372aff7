"""What training minimises, term by term; pure."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from studyrun_sae.architectures import Active, KSparse
from studyrun_sae.sae import SAE, decode_active

__all__ = ["LossTerms", "loss_terms"]


@dataclass(frozen=True, slots=True, eq=False)
class LossTerms:
    """The parts of the loss, each relative to the variance of the training set."""

    reconstruction: Float[Tensor, ""]
    """sum (x - x_hat)^2 / (rows * total variance): the batch's fvu, about."""
    auxiliary: Float[Tensor, ""]
    """sum (e - e_hat)^2 / sum e^2, where dead features alone explain the error e."""
    active: Active
    """The features that were active, for counting the dead."""


def loss_terms(
    sae: SAE,
    x: Float[Tensor, "rows d_in"],
    variance: float,
    dead: Bool[Tensor, " d_sae"],
    aux_k: int,
) -> LossTerms:
    """The loss of a k-sparse SAE on a batch.

    Args:
        sae: weights with gradients.
        x: the batch.
        variance: of the training set, summed over dimensions.
        dead: the features that the auxiliary term revives.
        aux_k: how many of them it uses per row; 0 leaves the term out.
    """
    pre_acts = sae.pre_acts(x)
    assert isinstance(sae.architecture, KSparse), "only k-sparse architectures are trained here"
    active = sae.architecture.select(pre_acts)
    error = x - decode_active(active, sae.W_dec, sae.b_dec)
    reconstruction = error.square().sum(1).sum() / (len(x) * variance)
    used = min(aux_k, int(dead.sum()))
    auxiliary = _auxiliary(sae, pre_acts, error.detach(), dead, used) if used else x.new_zeros(())
    return LossTerms(reconstruction, auxiliary, active)


def _auxiliary(
    sae: SAE,
    pre_acts: Float[Tensor, "rows d_sae"],
    error: Float[Tensor, "rows d_in"],
    dead: Bool[Tensor, " d_sae"],
    used: int,
) -> Float[Tensor, ""]:
    """AuxK (Gao et al. 2024, appendix A.2).

    The chosen pre-activations enter as they are, without ReLU: a dead feature is one whose
    pre-activations are low everywhere, and behind a ReLU its encoder would get no gradient.
    """
    top = torch.topk(pre_acts.masked_fill(~dead, -torch.inf), used, dim=1, sorted=False)
    chosen = Active(top.indices, top.values)
    left = error - decode_active(chosen, sae.W_dec, torch.zeros_like(sae.b_dec))
    total = error.square().sum(1).sum().clamp(min=torch.finfo(error.dtype).tiny)
    return left.square().sum(1).sum() / total
