"""Exact rewritings of an SAE into what a format has a place for; all of them leave x_hat alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from studyrun import SaeWeights

__all__ = ["with_pre_bias", "with_unit_rows"]

Weights = Mapping[str, Tensor]
SMALLEST = 1e-8
"""A row of the decoder shorter than that is divided by this."""


def with_pre_bias(sae: SaeWeights, pre_bias: bool) -> SaeWeights:
    """The same SAE with or without b_dec subtracted from its input.

    x @ W_enc + b_enc = (x - b_dec) @ W_enc + (b_enc + b_dec @ W_enc)
    """
    if sae.settings["pre_bias"] == pre_bias:
        return sae
    w = sae.tensors
    shift = w["b_dec"] @ w["W_enc"]
    b_enc = w["b_enc"] + shift if pre_bias else w["b_enc"] - shift
    return replace(
        sae, tensors={**w, "b_enc": b_enc}, settings={**sae.settings, "pre_bias": pre_bias}
    )


def with_unit_rows(tensors: Weights) -> dict[str, Tensor]:
    """The same SAE with decoder rows of norm 1 and activations times the norms they had.

    Exact for whatever selects after the encoder's rows were scaled so.
    """
    norms = tensors["W_dec"].norm(dim=1).clamp(min=SMALLEST)
    return {
        **tensors,
        "W_enc": tensors["W_enc"] * norms,
        "b_enc": tensors["b_enc"] * norms,
        "W_dec": tensors["W_dec"] / norms[:, None],
    }
