"""What recipes calculate with; gradients by hand where autograd would make more than it needs.

Of one SAE or of a stack, as recipes are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from studyrun_sae.recipes.contract import Variance

__all__ = ["counted", "encoded", "left", "relative_error"]

ALIKE = 16
"""Rows of which a product with one row is made, so that its bits depend on no number of threads."""


class _Encoded(torch.autograd.Function):
    """The pre-activations, whose gradient to b_dec does without a product for every row of x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, W_enc: Tensor, b_enc: Tensor, b_dec: Tensor | None) -> Tensor:
        centred = x if b_dec is None else x - b_dec.unsqueeze(-2)
        ctx.save_for_backward(centred, W_enc)
        return (centred @ W_enc).add_(b_enc.unsqueeze(-2))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        centred, W_enc = ctx.saved_tensors
        to_bias = gradient.sum(-2)
        to_b_dec = None
        if ctx.needs_input_grad[3]:
            alike = to_bias.unsqueeze(-2).expand(*to_bias.shape[:-1], ALIKE, -1)
            to_b_dec = -(alike @ W_enc.mT)[..., 0, :]
        return None, centred.mT @ gradient, to_bias, to_b_dec


class _Left(torch.autograd.Function):
    """What x - (z W_dec + b_dec) is, and its squared size beside `whole`, which has a gradient."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, z: Tensor, W_dec: Tensor, b_dec: Tensor, whole: float | Tensor
    ) -> tuple[Tensor, Tensor]:
        error = (z @ W_dec).add_(b_dec.unsqueeze(-2))
        torch.sub(x, error, out=error)
        ctx.save_for_backward(z, W_dec, error)
        ctx.whole = whole
        ctx.mark_non_differentiable(error)
        return error, _squares(error) / whole

    @staticmethod
    def backward(ctx: Any, _: Tensor, gradient: Tensor) -> tuple[Tensor | None, ...]:
        z, W_dec, error = ctx.saved_tensors
        to_x_hat = error * (-2 * gradient / ctx.whole)[..., None, None]
        return None, to_x_hat @ W_dec.mT, z.mT @ to_x_hat, to_x_hat.sum(-2), None


class _Share(torch.autograd.Function):
    """sum error^2 / whole, over rows and columns."""

    @staticmethod
    def forward(ctx: Any, error: Tensor, whole: float | Tensor) -> Tensor:
        ctx.save_for_backward(error)
        ctx.whole = whole
        return _squares(error) / whole

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (error,) = ctx.saved_tensors
        return error * (2 * gradient / ctx.whole)[..., None, None], None


def _squares(error: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(error, dim=-1)
    return norms.square().sum(-1)


def encoded(
    weights: Mapping[str, Tensor], x: Float[Tensor, "*stack rows d_in"], pre_bias: bool = True
) -> Float[Tensor, "*stack rows d_sae"]:
    """The pre-activations, as `SAE.pre_acts` has them."""
    found: Tensor = _Encoded.apply(  # type: ignore[no-untyped-call]  # torch's
        x, weights["W_enc"], weights["b_enc"], weights["b_dec"] if pre_bias else None
    )
    return found


def relative_error(
    error: Float[Tensor, "*stack rows d_in"], variance: Variance
) -> Float[Tensor, "*stack"]:
    """Sum error^2 / (rows * variance)."""
    found: Tensor = _Share.apply(error, error.shape[-2] * variance)  # type: ignore[no-untyped-call]
    return found


def left(
    x: Float[Tensor, "*stack rows d_in"],
    z: Float[Tensor, "*stack rows d_sae"],
    weights: Mapping[str, Tensor],
    variance: Variance,
) -> tuple[Float[Tensor, "*stack rows d_in"], Float[Tensor, "*stack"]]:
    """The error x - x_hat of a dense z, without a gradient, and its relative error, with one."""
    error, share = _Left.apply(  # type: ignore[no-untyped-call]  # torch's
        x, z, weights["W_dec"], weights["b_dec"], x.shape[-2] * variance
    )
    return error, share


def counted(
    z: Float[Tensor, "*stack rows d_sae"],
) -> tuple[Int[Tensor, "*stack"], Bool[Tensor, "*stack d_sae"]]:
    """How many of z, none of which is negative, are not 0; and which features have one."""
    counts = z.detach().sign().sum(-2)
    return counts.long().sum(-1), counts > 0
