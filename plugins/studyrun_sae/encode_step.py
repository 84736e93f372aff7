"""The step `sae-encode`: which features are active on which problem, and how strongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor

from studyrun import Context, Inputs, NoParams, Result
from studyrun_extract.columns import ROWS
from studyrun_extract.view import Activations
from studyrun_sae.artifacts import SaeArtifact
from studyrun_sae.blocks import blocks
from studyrun_sae.encoding import Encoder, Pairs
from studyrun_sae.quality import quality
from studyrun_sae.sae import SAE

__all__ = ["run"]


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
    cuts, encoder = list(blocks(len(x))), Encoder(sae)

    def work(chosen: Sequence[int]) -> None:
        for index in chosen:
            rows = cuts[index]
            pieces[index] = _frame(encoder.pairs(x[rows]), problems[rows])

    context.in_batches(work, range(len(cuts)), label="encoding", unit="blocks")
    return pl.concat(pieces[index] for index in range(len(cuts))).sort("problem", "feature")


def _frame(pairs: Pairs, problems: pl.Series) -> pl.DataFrame:
    feature = pairs.feature.to(torch.int32).cpu().numpy()
    return pl.DataFrame(
        {
            "problem": problems.gather(pairs.row.cpu().numpy()),
            "feature": pl.Series(feature).cast(pl.UInt32),
            "activation": pl.Series(pairs.activation.cpu().numpy()),
        }
    )
