"""The step `sae-encode`: which features are active on which problem, and how strongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor

from studyrun import Context, Inputs, NoParams, Result
from studyrun_extract.columns import ROWS
from studyrun_extract.view import Activations
from studyrun_sae.architectures import KSparse, TopK
from studyrun_sae.artifacts import SaeArtifact
from studyrun_sae.blocks import blocks
from studyrun_sae.quality import quality
from studyrun_sae.sae import SAE

__all__ = ["active_of", "largest", "run"]


def run(params: NoParams, inputs: Inputs, context: Context) -> Result:  # noqa: ARG001  # contract
    """The active features of every problem, sorted by problem and feature."""
    activations = cast(Activations, inputs["activations"])
    artifact = cast(SaeArtifact, inputs["sae"])
    sae = artifact.load(context.device)
    assert sae.layer is not None
    assert sae.position is not None
    x = activations.at(layer=sae.layer, position=sae.position).to(context.device)
    rows = activations.table.select(*ROWS.columns)
    return Result(
        tables={
            "table": _active(sae, x, rows["problem"], context),
            "rows": rows,
            "quality": quality(sae, x, rows["split"].to_list()),
        },
        meta={"d_sae": sae.d_sae, "layer": sae.layer, "position": sae.position, "n": len(x)},
    )


def _active(
    sae: SAE, x: Float[Tensor, "rows d_in"], problems: pl.Series, context: Context
) -> pl.DataFrame:
    """(problem, feature, activation), the active pairs only; one block of z in memory at a time."""
    pieces: dict[int, pl.DataFrame] = {}
    cuts = list(blocks(len(x)))

    def work(chosen: Sequence[int]) -> None:
        for index in chosen:
            pieces[index] = _pairs(*active_of(sae, x[cuts[index]]), problems[cuts[index]])

    context.in_batches(work, range(len(cuts)), label="encoding", unit="blocks")
    return pl.concat(pieces[index] for index in range(len(cuts))).sort("problem", "feature")


def active_of(
    sae: SAE, x: Float[Tensor, "rows d_in"]
) -> tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"], Float[Tensor, " pairs"]]:
    """Row, feature and activation of the active pairs; without the dense z where k-sparse."""
    architecture, pre_acts = sae.architecture, sae.pre_acts(x)
    if isinstance(architecture, TopK):
        places = largest(pre_acts, architecture.k)
        if places is not None:
            row, feature = places // sae.d_sae, places % sae.d_sae
            return row, feature, pre_acts.view(-1)[places]
    if isinstance(architecture, KSparse):
        active = architecture.select(pre_acts)
        row, column = active.values.nonzero(as_tuple=True)
        return row, active.features[row, column], active.values[row, column]
    z = architecture.activate(pre_acts)
    row, feature = z.nonzero(as_tuple=True)
    return row, feature, z[row, feature]


def largest(pre_acts: Float[Tensor, "rows d_sae"], k: int) -> Int[Tensor, " pairs"] | None:
    """Where the k largest of each row are, if positive, counted through all rows.

    None where `torch.topk` is the better judge: on CPU and where k is no small part of d_sae numpy
    finds the k-th largest seven times as fast as torch finds all k; of several that equal it torch
    has its choice.
    """
    d_sae = pre_acts.shape[1]
    if pre_acts.device.type != "cpu" or k * 64 < d_sae or k >= d_sae:
        return None
    found = pre_acts.numpy()
    least = np.partition(found, d_sae - k, axis=1)[:, d_sae - k, None]
    kept = found >= least
    if np.count_nonzero(kept) != k * len(kept):
        return None
    if least.min() <= 0:
        kept &= found > 0
    return torch.from_numpy(np.flatnonzero(kept))


def _pairs(
    row: Int[Tensor, " pairs"],
    feature: Int[Tensor, " pairs"],
    activation: Float[Tensor, " pairs"],
    problems: pl.Series,
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "problem": problems.gather(row.cpu().numpy()),
            "feature": pl.Series(feature.to(torch.int32).cpu().numpy()).cast(pl.UInt32),
            "activation": pl.Series(activation.cpu().numpy()),
        }
    )
