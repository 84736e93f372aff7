"""Architectures: from pre-activations to feature activations, each one small class.

A new one is a frozen dataclass with `name`, `pre_bias` and `activate`, listed in ARCHITECTURES.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["ARCHITECTURES", "AbsTopK", "Active", "Architecture", "KSparse", "TopK"]


@runtime_checkable
class Architecture(Protocol):
    """What an SAE needs to know besides its weights: a dataclass of JSON values."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    name: ClassVar[str]
    pre_bias: ClassVar[bool]
    """Whether b_dec is subtracted from the input before encoding."""

    def activate(self, pre_acts: Float[Tensor, "rows d_sae"]) -> Float[Tensor, "rows d_sae"]:
        """The feature activations of pre_acts = x @ W_enc + b_enc; 0 is inactive."""


@dataclass(frozen=True, slots=True, eq=False)
class Active:
    """Feature activations of which at most k per row differ from 0."""

    features: Int[Tensor, "rows k"]
    """Which features; each at most once per row."""
    values: Float[Tensor, "rows k"]
    """Their activations; may be 0."""

    def dense(self, d_sae: int) -> Float[Tensor, "rows d_sae"]:
        """The same as a dense matrix."""
        z = self.values.new_zeros(self.values.shape[0], d_sae)
        return z.scatter(1, self.features, self.values)


@dataclass(frozen=True)
class KSparse:
    """At most k active features per row: `select` says which, `activate` is its dense form."""

    k: int

    def select(self, pre_acts: Float[Tensor, "rows d_sae"]) -> Active:
        """The features that stay and their activations."""
        raise NotImplementedError

    def activate(self, pre_acts: Float[Tensor, "rows d_sae"]) -> Float[Tensor, "rows d_sae"]:
        """The feature activations; 0 is inactive."""
        return self.select(pre_acts).dense(pre_acts.shape[1])


@dataclass(frozen=True)
class TopK(KSparse):
    """The k largest pre-activations, then ReLU (Gao et al. 2024, section 2.3)."""

    name: ClassVar[str] = "topk"
    pre_bias: ClassVar[bool] = True

    def select(self, pre_acts: Float[Tensor, "rows d_sae"]) -> Active:
        """The k largest; the negative among them become 0."""
        top = torch.topk(pre_acts, self.k, dim=1, sorted=False)
        return Active(top.indices, top.values.relu())


@dataclass(frozen=True)
class AbsTopK(KSparse):
    """The k largest |pre-activations| with their sign: what many research scripts compute."""

    name: ClassVar[str] = "abstopk"
    pre_bias: ClassVar[bool] = False

    def select(self, pre_acts: Float[Tensor, "rows d_sae"]) -> Active:
        """The k of largest magnitude, as they are."""
        features = torch.topk(pre_acts.abs(), self.k, dim=1, sorted=False).indices
        return Active(features, pre_acts.gather(1, features))


ARCHITECTURES: dict[str, type[TopK] | type[AbsTopK]] = {each.name: each for each in (TopK, AbsTopK)}
"""By the name that studies and files use."""
