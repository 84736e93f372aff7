"""Where training starts: the input's scale and the first weights."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from studyrun_sae.architectures import ARCHITECTURES
from studyrun_sae.params import SaeTrain
from studyrun_sae.sae import SAE

__all__ = ["geometric_median", "initial_sae", "input_scale"]


def input_scale(x: Float[Tensor, "rows d_in"], norm: Literal["rms", "none"]) -> float:
    """What `x` is divided by: the root of the mean squared deviation of its entries, or 1.

    Raises:
        ValueError: the rows are all equal, or not finite.
    """
    mean_square = float((x - x.mean(0)).square().mean(1).mean())
    if not 0 < mean_square < torch.inf:
        raise ValueError(f"the activations' variance is {mean_square}: there is nothing to learn")
    return float(mean_square**0.5) if norm == "rms" else 1.0


def initial_sae(x: Float[Tensor, "rows d_in"], params: SaeTrain, generator: torch.Generator) -> SAE:
    """Random unit decoder rows, the encoder and the biases as `params` say."""
    d_in = x.shape[1]
    architecture = ARCHITECTURES[params.architecture](params.k)
    W_dec = normalize(torch.randn(params.d_sae, d_in, generator=generator), dim=1).to(x.device)
    b_dec = _bias(x, params.bias_init)
    W_enc, b_enc = W_dec.T.clone(), W_dec.new_zeros(params.d_sae)
    if params.encoder_init == "uniform":
        bound = d_in**-0.5
        W_enc = _uniform((d_in, params.d_sae), bound, generator).to(x.device)
        b_enc = _uniform((params.d_sae,), bound, generator).to(x.device)
    if not architecture.pre_bias:  # so that the encoder starts from x - b_dec all the same
        b_enc = b_enc - b_dec @ W_enc
    return SAE(W_enc.contiguous(), b_enc, W_dec, b_dec, architecture)


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
