"""The SAE value: four tensors and an architecture; encode and decode are its whole behaviour.

An architecture may own more tensors (thresholds); `weights` has them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import embedding_bag

from studyrun import Position
from studyrun_sae.architectures import Active, Architecture, KSparse

__all__ = ["SAE", "WEIGHTS", "decode_active"]

WEIGHTS = ("W_enc", "b_enc", "W_dec", "b_dec")


@dataclass(frozen=True, eq=False)
class SAE:
    """A sparse autoencoder of one site.

    z = activate((x - b_dec if pre_bias) @ W_enc + b_enc);  x_hat = z @ W_dec + b_dec
    """

    W_enc: Float[Tensor, "d_in d_sae"]
    b_enc: Float[Tensor, " d_sae"]
    W_dec: Float[Tensor, "d_sae d_in"]
    b_dec: Float[Tensor, " d_in"]
    architecture: Architecture
    layer: int | None = None
    """The layer whose residuals it was trained on; None if nobody said."""
    position: Position | None = None
    """Their position; None if nobody said."""

    def __post_init__(self) -> None:
        d_in, d_sae = self.W_enc.shape
        wanted = {"b_enc": (d_sae,), "W_dec": (d_sae, d_in), "b_dec": (d_in,)}
        for name, shape in wanted.items():
            found = tuple(getattr(self, name).shape)
            if found != shape:
                raise ValueError(f"W_enc is ({d_in}, {d_sae}), so {name} is {shape}, not {found}")
        for name, of in self.architecture.TENSORS.items():
            found, shape = tuple(getattr(self.architecture, name).shape), (d_sae,) if of else ()
            if found != shape:
                raise ValueError(f"W_enc is ({d_in}, {d_sae}), so {name} is {shape}, not {found}")

    def __repr__(self) -> str:
        site = f"({self.layer}, {self.position!r})"
        return f"<SAE {self.architecture} d_in={self.d_in} d_sae={self.d_sae} of site {site}>"

    @property
    def d_in(self) -> int:
        """The width of the residual stream."""
        return self.W_enc.shape[0]

    @property
    def d_sae(self) -> int:
        """The number of features."""
        return self.W_enc.shape[1]

    def pre_acts(self, x: Float[Tensor, "rows d_in"]) -> Float[Tensor, "rows d_sae"]:
        """The encoder before its activation function."""
        centred = x - self.b_dec if self.architecture.pre_bias else x
        return (centred @ self.W_enc).add_(self.b_enc)  # in place: a sum takes as much memory again

    def encode(self, x: Float[Tensor, "rows d_in"]) -> Float[Tensor, "rows d_sae"]:
        """The feature activations z; 0 is inactive."""
        return self.architecture.activate(self.pre_acts(x))

    def decode(self, z: Float[Tensor, "rows d_sae"]) -> Float[Tensor, "rows d_in"]:
        """The reconstruction x_hat = z @ W_dec + b_dec."""
        return z @ self.W_dec + self.b_dec

    def reconstruct(self, x: Float[Tensor, "rows d_in"]) -> Float[Tensor, "rows d_in"]:
        """decode(encode(x)), without the dense z where the architecture is k-sparse."""
        if isinstance(self.architecture, KSparse):
            return decode_active(self.architecture.select(self.pre_acts(x)), self.W_dec, self.b_dec)
        return self.decode(self.encode(x))

    @property
    def weights(self) -> dict[str, Tensor]:
        """Every tensor by name: the four of each SAE, then the architecture's own."""
        return {name: getattr(self, name) for name in WEIGHTS} | self.architecture.tensors

    def with_weights(self, weights: Mapping[str, Tensor]) -> SAE:
        """The same with other tensors; of the architecture's, those that are given."""
        four: dict[str, Any] = {name: weights[name] for name in WEIGHTS}
        return replace(self, architecture=self.architecture.with_tensors(weights), **four)

    def rescaled(self, scale: float) -> SAE:
        """The SAE of scale * x, given the one of x: the same features, activations times `scale`.

        Exact, because architectures only select and rectify: activate(s * h) = s * activate(h),
        with thresholds and gates scaled.
        """
        b_enc, b_dec = self.b_enc * scale, self.b_dec * scale
        architecture = self.architecture.rescaled(scale)
        return replace(self, b_enc=b_enc, b_dec=b_dec, architecture=architecture)

    def to(self, device: torch.device | str) -> SAE:
        """The same SAE on another device."""
        return self.with_weights({name: t.to(device) for name, t in self.weights.items()})


def decode_active(
    active: Active, W_dec: Float[Tensor, "d_sae d_in"], b_dec: Float[Tensor, " d_in"]
) -> Float[Tensor, "rows d_in"]:
    """x_hat from the active features alone: sum_j values[:, j] * W_dec[features[:, j]] + b_dec.

    k / d_sae of the dense product's work.
    """
    weights = active.values
    return embedding_bag(active.features, W_dec, per_sample_weights=weights, mode="sum") + b_dec
