"""The intervention `clamp`: set features to a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from studyrun_parity.params import Clamp

__all__ = ["clamp"]


def clamp(z: Tensor, features: Tensor, params: Clamp) -> Tensor:
    """The activations with z[:, f] = value for every f of `features`; z itself stays as it is.

    Args:
        z: feature activations (rows, d_sae).
        features: which columns, (n,) int64.
        params: the value.
    """
    clamped = z.clone()
    clamped[:, features] = params.value
    return clamped
