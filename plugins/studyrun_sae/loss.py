"""What training minimises, term by term; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from studyrun_sae.architectures import Active
from studyrun_sae.recipes.contract import Passed, Recipe
from studyrun_sae.sae import decode_active

__all__ = ["LossTerms", "loss_terms"]


@dataclass(frozen=True, slots=True, eq=False)
class LossTerms:
    """The parts of the loss, each free of the activations' units."""

    reconstruction: Float[Tensor, ""]
    """sum (x - x_hat)^2 / (rows * total variance): the batch's fvu, about."""
    penalty: Float[Tensor, ""]
    """What the recipe minimises beside it, with its weight."""
    auxiliary: Float[Tensor, ""]
    """sum (e - e_hat)^2 / sum e^2, where dead features alone explain the error e."""
    passed: Passed
    """The batch: the features that were active, for counting the dead."""


def loss_terms(
    recipe: Recipe,
    weights: Mapping[str, Tensor],
    x: Float[Tensor, "rows d_in"],
    variance: float,
    dead: Bool[Tensor, " d_sae"],
    aux_k: int,
) -> LossTerms:
    """The loss on a batch.

    Args:
        recipe: how the architecture is trained.
        weights: what is learnt, with gradients.
        x: the batch.
        variance: of the training set, summed over dimensions.
        dead: the features that the auxiliary term revives.
        aux_k: how many of them it uses per row; 0 leaves the term out.
    """
    passed = recipe.passed(weights, x, variance)
    used = min(aux_k, int(dead.sum()))
    error, W_dec = passed.error.detach(), weights["W_dec"]
    auxiliary = _auxiliary(passed.pre_acts, error, W_dec, dead, used) if used else x.new_zeros(())
    return LossTerms(passed.reconstruction, passed.penalty, auxiliary, passed)


def _auxiliary(
    pre_acts: Float[Tensor, "rows d_sae"],
    error: Float[Tensor, "rows d_in"],
    W_dec: Float[Tensor, "d_sae d_in"],
    dead: Bool[Tensor, " d_sae"],
    used: int,
) -> Float[Tensor, ""]:
    """AuxK (Gao et al. 2024, appendix A.2).

    The chosen pre-activations enter as they are, without ReLU: a dead feature is one whose
    pre-activations are low everywhere, and behind a ReLU its encoder would get no gradient.
    """
    top = torch.topk(pre_acts.masked_fill(~dead, -torch.inf), used, dim=1, sorted=False)
    chosen = Active(top.indices, top.values)
    left = error - decode_active(chosen, W_dec, torch.zeros_like(error[0]))
    total = error.square().sum(1).sum().clamp(min=torch.finfo(error.dtype).tiny)
    return left.square().sum(1).sum() / total
