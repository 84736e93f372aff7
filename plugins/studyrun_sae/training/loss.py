"""What training minimises, term by term; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from studyrun_sae.architectures import Active
from studyrun_sae.recipes.choosing import Several, largest, spread
from studyrun_sae.recipes.contract import Passed, Recipe, Variance
from studyrun_sae.sae import decode_active

__all__ = ["LossTerms", "loss_terms"]


@dataclass(frozen=True, slots=True, eq=False)
class LossTerms:
    """The parts of the loss, each free of the activations' units."""

    reconstruction: Float[Tensor, "*stack"]
    """sum (x - x_hat)^2 / (rows * total variance): the batch's fvu, about."""
    penalty: Float[Tensor, "*stack"]
    """What the recipe minimises beside it, with its weight."""
    auxiliary: Float[Tensor, "*stack"]
    """sum (e - e_hat)^2 / sum e^2, where dead features alone explain the error e."""
    passed: Passed
    """The batch: the features that were active, for counting the dead."""


def loss_terms(
    recipe: Recipe,
    weights: Mapping[str, Tensor],
    x: Float[Tensor, "*stack rows d_in"],
    variance: Variance,
    dead: Bool[Tensor, "*stack d_sae"],
    aux_k: int | Several,
) -> LossTerms:
    """The loss on a batch, or of every member of a stack on its own.

    Args:
        recipe: how the architecture is trained.
        weights: what is learnt, with gradients.
        x: the batch.
        variance: of the training set, summed over dimensions.
        dead: the features that the auxiliary term revives.
        aux_k: how many of them it uses per row; 0 leaves the term out. Of a stack this asks the
            device nothing: members without a dead feature go the whole way, and it counts 0.
    """
    passed = recipe.passed(weights, x, variance)
    error, W_dec = passed.error.detach(), weights["W_dec"]
    if isinstance(aux_k, Several):
        auxiliary = _auxiliaries(passed.pre_acts, error, W_dec, dead, aux_k)
    elif used := min(aux_k, int(dead.sum())) if aux_k else 0:
        auxiliary = _auxiliary(passed.pre_acts, error, W_dec, dead, used)
    else:
        auxiliary = x.new_zeros(x.shape[:-2])
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
    return _share(error - decode_active(chosen, W_dec, torch.zeros_like(error[0])), error)


def _auxiliaries(
    pre_acts: Float[Tensor, "stack rows d_sae"],
    error: Float[Tensor, "stack rows d_in"],
    W_dec: Float[Tensor, "stack d_sae d_in"],
    dead: Bool[Tensor, "stack d_sae"],
    aux_k: Several,
) -> Float[Tensor, " stack"]:
    """The same of every member; 0 where nothing is dead, or none is asked for."""
    chosen = largest(pre_acts.masked_fill(~dead.unsqueeze(-2), -torch.inf), aux_k)
    values = chosen.values.masked_fill(chosen.values == -torch.inf, 0.0)
    left = error - spread(chosen, values, dead.shape[-1]) @ W_dec
    return _share(left, error) * (dead.any(-1) & (aux_k.each > 0))


def _share(
    left: Float[Tensor, "*stack rows d_in"], error: Float[Tensor, "*stack rows d_in"]
) -> Float[Tensor, "*stack"]:
    total = error.square().sum(-1).sum(-1).clamp(min=torch.finfo(error.dtype).tiny)
    return left.square().sum(-1).sum(-1) / total
