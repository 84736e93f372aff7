"""The interventions: pure maps of feature activations z (rows, d_sae).

Their laws are declared in the plugin's records and tested by `studyrun.testing`.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from studyrun import NoParams
from studyrun_intervene.params import Amplify

__all__ = ["ablate", "amplify", "substitute", "swap"]


def ablate(
    z: Float[Tensor, "rows d_sae"],
    features: Int[Tensor, " n"],
    params: NoParams,  # noqa: ARG001  # the contract of interventions
) -> Float[Tensor, "rows d_sae"]:
    """Z with the features' columns set to 0."""
    return z.index_fill(1, features, 0)


def amplify(
    z: Float[Tensor, "rows d_sae"], features: Int[Tensor, " n"], params: Amplify
) -> Float[Tensor, "rows d_sae"]:
    """Z with the features' columns multiplied by `factor`."""
    return z.index_copy(1, features, z.index_select(1, features) * params.factor)


def swap(
    z: Float[Tensor, "rows d_sae"],
    features: Int[Tensor, " 2"],
    params: NoParams,  # noqa: ARG001  # the contract of interventions
) -> Float[Tensor, "rows d_sae"]:
    """Z with the two features' columns exchanged."""
    return z.index_copy(1, features, z.index_select(1, features.flip(0)))


def substitute(
    z: Float[Tensor, "rows d_sae"],
    features: Int[Tensor, " n"],
    params: NoParams,  # noqa: ARG001  # the contract of interventions
    reference: Float[Tensor, "some d_sae"],
) -> Float[Tensor, "rows d_sae"]:
    """Z with the features' columns taken from `reference`, one row for all or one for each."""
    return z.index_copy(1, features, reference[:, features].expand(len(z), -1))
