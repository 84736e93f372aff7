"""What the steps of this room will about take; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun import CheckScope, Estimate
from studyrun_data.sizes import size_of

if TYPE_CHECKING:
    from studyrun_features.params import Coactivation, Portraits

__all__ = ["AT_ONCE", "coactivation", "portraits"]

FLOAT = 4
AT_ONCE = 512
"""Directions compared with all others at once."""
A_COSINE = 400
"""What sorting a cosine into its place costs, measured as operations."""
A_PAIR = 5e4
"""What testing a pair costs, likewise."""
BYTES_OF_A_PAIR = 400


def portraits(params: Portraits, scope: CheckScope) -> Estimate | None:  # noqa: ARG001  # any
    """Every direction with every other; tokens are not counted, nobody knows how many there are.

    flops = d_sae^2 (2 d_model + 400); bytes = a block of cosines and the directions
    """
    d_sae, model = _d_sae(scope), scope.model
    if d_sae is None or model is None:
        return None
    block = 3 * min(AT_ONCE, d_sae) * d_sae
    return Estimate(
        flops=float(d_sae**2 * (2 * model.d_model + A_COSINE)),
        bytes=FLOAT * (block + 2 * d_sae * model.d_model),
        note=f"{d_sae:,} features with each other",
    )


def coactivation(params: Coactivation, scope: CheckScope) -> Estimate | None:
    """Every pair of features, as often as it is tested."""
    d_sae, size = _d_sae(scope), size_of(scope.steps.values())
    if d_sae is None:
        return None
    features = min(params.features, d_sae)
    pairs = features * (features - 1) // 2
    dense = 0 if size is None else 8 * features * size.of(params.split)
    return Estimate(
        flops=A_PAIR * pairs * (1 + params.permutations),
        bytes=BYTES_OF_A_PAIR * pairs + dense,
        note=f"at most {pairs:,} pairs, {1 + params.permutations} times",
    )


def _d_sae(scope: CheckScope) -> int | None:
    """Of the SAE that the step builds on; None where nobody says."""
    named = scope.inputs.get("sae", "")
    known = [scope.steps[named]] if named in scope.steps else list(scope.steps.values())
    sizes = {getattr(s.params, "d_sae", None) for s in known if s.component.makes == "sae"}
    return sizes.pop() if len(sizes) == 1 else None
