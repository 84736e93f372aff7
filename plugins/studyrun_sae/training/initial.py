"""Where training starts: the input's scale and the first weights."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from studyrun_sae.architectures import ARCHITECTURES
from studyrun_sae.params import SaeTrain
from studyrun_sae.recipes import Recipe

__all__ = ["geometric_median", "initial_weights", "input_scale", "square_deviation"]


def input_scale(x: Float[Tensor, "rows d_in"], norm: Literal["rms", "none"]) -> float:
    """What `x` is divided by: the root of the mean squared deviation of its entries, or 1.

    Raises:
        ValueError: the rows are all equal, or not finite.
    """
    mean_square = square_deviation(x)
    if not 0 < mean_square < torch.inf:
        raise ValueError(f"the activations' variance is {mean_square}: there is nothing to learn")
    return float(mean_square**0.5) if norm == "rms" else 1.0


def square_deviation(x: Float[Tensor, "rows d_in"]) -> float:
    """The mean squared deviation of entries from their column's mean; 0 if all rows are alike."""
    if bool((x == x[0]).all()):  # their mean is rounded
        return 0.0
    return float((x - x.mean(0)).square().mean(1).mean())


def initial_weights(
    x: Float[Tensor, "rows d_in"], params: SaeTrain, recipe: Recipe, generator: torch.Generator
) -> dict[str, Tensor]:
    """Random unit decoder rows, the encoder and the biases as `params` say, the recipe's own."""
    d_in = x.shape[1]
    W_dec = normalize(torch.randn(params.d_sae, d_in, generator=generator), dim=1).to(x.device)
    b_dec = _bias(x, params.bias_init)
    W_enc = W_dec.T.clone(memory_format=torch.contiguous_format)  # as it is when read again
    b_enc = W_dec.new_zeros(params.d_sae)
    if params.encoder_init == "uniform":
        bound = d_in**-0.5
        W_enc = _uniform((d_in, params.d_sae), bound, generator).to(x.device)
        b_enc = _uniform((params.d_sae,), bound, generator).to(x.device)
    if not ARCHITECTURES[recipe.name].pre_bias:  # so that it starts from x - b_dec all the same
        b_enc = b_enc - b_dec @ W_enc
    weights = {"W_enc": W_enc.contiguous(), "b_enc": b_enc, "W_dec": W_dec, "b_dec": b_dec}
    return weights | recipe.learnt(weights, x)


def geometric_median(
    x: Float[Tensor, "rows d_in"], iterations: int = 100
) -> Float[Tensor, " d_in"]:
    """The point of least total distance to the rows (Weiszfeld's iteration).

    Rows closer than 1e-6 to the current point count as if they were that far.
    """
    point = x.mean(0)
    for _ in range(iterations):
        weight = 1 / torch.linalg.vector_norm(x - point, dim=1, keepdim=True).clamp(min=1e-6)
        point = (weight * x).sum(0) / weight.sum(0)
    return point


def _bias(x: Float[Tensor, "rows d_in"], init: str) -> Float[Tensor, " d_in"]:
    match init:
        case "mean":
            return x.mean(0)
        case "median":
            return geometric_median(x)
    return torch.zeros_like(x[0])


def _uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> Tensor:
    return (2 * torch.rand(shape, generator=generator) - 1) * bound
