"""The columns of the tables that SAE steps store; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun import NoParams, Table
from studyrun_extract.columns import ROWS
from studyrun_sae.params import K_SPARSE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from studyrun_sae.params import SaeLoad, SaeTrain

__all__ = ["ACTIVE", "HISTORY", "QUALITY", "encoding", "history", "loading", "training"]

HISTORY = Table({
    "epoch": "UInt32",
    "fvu": "Float64",
    "auxiliary": "Float64",
    "dead": "UInt32",
    "lr": "Float64",
})  # fmt: skip
"""One row an epoch of training."""
SPARSITY = {"penalty": "Float64", "l0": "Float64"}
"""Of what is not k-sparse by itself: the penalty with its weight, active features per row."""
HELD_OUT = {"fvu_held_out": "Float64"}
"""Of the validation split, with the weights at the end of the epoch."""
QUALITY = Table({
    "split": "String",
    "n": "UInt32",
    "fvu": "Float64",
    "explained_variance": "Float64",
    "explained_variance_seed": "Float64",
    "l0": "Float64",
    "dead": "UInt32",
    "dead_share": "Float64",
    "mse": "Float64",
})  # fmt: skip
"""`dead`: features active on none of the n rows; `mse`: per entry; null where undefined."""
ACTIVE = Table({"problem": "UInt32", "feature": "UInt32", "activation": "Float32"})
"""The active pairs; every other activation is 0."""


def history(params: SaeTrain) -> Table:
    """The columns of an epoch's row."""
    sparsity = {} if params.architecture in K_SPARSE else SPARSITY
    return Table({**HISTORY.columns, **sparsity, **(HELD_OUT if params.held_out else {})})


def training(params: SaeTrain) -> Mapping[str, Table]:
    """How training went, and how good the SAE is on each split."""
    return {"table": history(params), "quality": QUALITY}


def loading(params: SaeLoad) -> Mapping[str, Table]:  # noqa: ARG001  # whatever they are
    """How good the SAE is on each split; no rows where there are no activations."""
    return {"quality": QUALITY}


def encoding(params: NoParams) -> Mapping[str, Table]:  # noqa: ARG001  # it has none
    """The active features, the problems that were encoded, and how well."""
    return {"table": ACTIVE, "rows": ROWS, "quality": QUALITY}
