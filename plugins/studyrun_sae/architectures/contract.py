"""What every architecture is: a frozen dataclass of JSON values, and tensors of its own if any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["Active", "Architecture", "KSparse"]


@dataclass(frozen=True)
class Architecture:
    """From pre-activations to feature activations.

    A new one subclasses this (or `KSparse`), names itself and its tensors, says how it activates
    and what of it grows with the input, and is listed in ARCHITECTURES.
    """

    name: ClassVar[str]
    """As studies and files call it."""
    TENSORS: ClassVar[Mapping[str, str]] = {}
    """The fields that are tensors: `d_sae` for one number a feature, `` for a single one."""

    pre_bias: bool = field(default=True, kw_only=True)
    """Whether b_dec is subtracted from the input before encoding."""

    def activate(self, pre_acts: Float[Tensor, "rows d_sae"]) -> Float[Tensor, "rows d_sae"]:
        """The feature activations of pre_acts = x @ W_enc + b_enc; 0 is inactive."""
        raise NotImplementedError

    def rescaled(self, scale: float) -> Architecture:  # noqa: ARG002  # selecting and rectifying scale
        """The architecture with activate'(s * pre_acts) = s * activate(pre_acts), s > 0."""
        return self

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The tensors that it owns, by name."""
        return {name: getattr(self, name) for name in self.TENSORS}

    @property
    def settings(self) -> dict[str, Any]:
        """Everything else, as JSON values."""
        names = (each.name for each in fields(self) if each.name not in self.TENSORS)
        return {name: getattr(self, name) for name in names}

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> Architecture:
        """The same with other tensors, of those that are given."""
        new: dict[str, Any] = {n: tensors[n] for n in self.TENSORS if n in tensors}
        return replace(self, **new) if new else self


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
class KSparse(Architecture):
    """At most k active features per row: `select` says which, `activate` is its dense form."""

    k: int

    def select(self, pre_acts: Float[Tensor, "rows d_sae"]) -> Active:
        """The features that stay and their activations."""
        raise NotImplementedError

    def activate(self, pre_acts: Float[Tensor, "rows d_sae"]) -> Float[Tensor, "rows d_sae"]:
        """The feature activations; 0 is inactive."""
        return self.select(pre_acts).dense(pre_acts.shape[1])
