"""The columns of the tables of this room, told before they are made; imports nothing heavy.

`docs/reference/feature-tables.md` says what they mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from studyrun_features.params import Coactivation, Portraits

__all__ = [
    "ACTIVATIONS",
    "CONTROLS",
    "COSINES",
    "HISTOGRAM",
    "MAP",
    "MODULES",
    "NEIGHBOURS",
    "PAIRS",
    "PORTRAITS",
    "SAMPLES",
    "TOKENS",
    "coactivation",
    "portraits",
]

PORTRAITS = Table({
    "feature": "UInt32",
    "n_active": "UInt32",
    "n_total": "UInt32",
    "frequency": "Float64",
    "mean_active": "Float64",
    "min": "Float64",
    "q25": "Float64",
    "median": "Float64",
    "q75": "Float64",
    "max": "Float64",
    "max_cosine": "Float64",
    "nearest": "UInt32",
})  # fmt: skip
"""One row a feature; `mean_active` to `max` are of its activations where it is active, signs kept;
null for a feature that never is."""
HISTOGRAM = Table({
    "feature": "UInt32",
    "bin": "UInt32",
    "low": "Float64",
    "high": "Float64",
    "n": "UInt32",
})  # fmt: skip
"""Bins hold low <= activation < high, the last one its end too."""
SAMPLES = Table({
    "feature": "UInt32",
    "part": "String",
    "place": "UInt32",
    "problem": "UInt32",
    "id": "String",
    "activation": "Float32",
})  # fmt: skip
"""Within a part the largest |activation| comes first."""
NEIGHBOURS = Table({
    "feature": "UInt32",
    "place": "UInt32",
    "neighbour": "UInt32",
    "cosine": "Float64",
})  # fmt: skip
COSINES = Table({"of": "String", "low": "Float64", "high": "Float64", "n": "Float64"})
"""`n` pairs of directions: counted of the `decoder`, expected of `random` ones."""
ACTIVATIONS = Table({
    "low": "Float64",
    "high": "Float64",
    "n": "UInt32",
    "n_negative": "UInt32",
})  # fmt: skip
"""Bins of |activation| over all features, equal on a logarithmic scale."""
TOKENS = Table({
    "feature": "UInt32",
    "side": "String",
    "place": "UInt32",
    "token_id": "UInt32",
    "token": "String",
    "logit": "Float64",
})  # fmt: skip
"""`side` is `promoted` or `suppressed`; `logit` is that of the token less the mean of all."""
PAIRS = Table({
    "feature": "UInt32",
    "other": "UInt32",
    "n_both": "UInt32",
    "n_feature": "UInt32",
    "n_other": "UInt32",
    "n": "UInt32",
    "expected": "Float64",
    "expected_alike": "Float64",
    "lift": "Float64",
    "lift_alike": "Float64",
    "phi": "Float64",
    "phi_alike": "Float64",
    "p": "Float64",
    "q": "Float64",
    "p_alike": "Float64",
    "q_alike": "Float64",
    "verdict": "String",
})  # fmt: skip
"""Pairs of features, `feature` < `other`; what ends in `_alike` compares problems of a stratum."""
MODULES = Table({
    "module": "UInt32",
    "feature": "UInt32",
    "place": "UInt32",
    "n_features": "UInt32",
    "mean_phi": "Float64",
})  # fmt: skip
"""One row a feature that is in a module; module 1 is the largest."""
MAP = Table({
    "feature": "UInt32",
    "other": "UInt32",
    "phi": "Float64",
    "verdict": "String",
    "place": "UInt32",
    "other_place": "UInt32",
})  # fmt: skip
"""Both ways round; places are where the map puts the two."""
CONTROLS = Table({
    "control": "String",
    "runs": "UInt32",
    "pairs": "UInt32",
    "together": "UInt32",
    "rate": "Float64",
    "ci_low": "Float64",
    "ci_high": "Float64",
})  # fmt: skip
"""The row of the data (`none`) first."""


def portraits(params: Portraits) -> Mapping[str, Table]:  # noqa: ARG001  # whatever they are
    """Every feature, and what is told of each."""
    return {
        "table": PORTRAITS,
        "histogram": HISTOGRAM,
        "samples": SAMPLES,
        "neighbours": NEIGHBOURS,
        "cosines": COSINES,
        "activations": ACTIVATIONS,
        "tokens": TOKENS,
    }


def coactivation(params: Coactivation) -> Mapping[str, Table]:  # noqa: ARG001  # likewise
    """Pairs of features, modules of them, the map and the control."""
    return {"table": PAIRS, "modules": MODULES, "map": MAP, "controls": CONTROLS}
