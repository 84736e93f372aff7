"""The steps `sae-train` and `sae-train-abstopk`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from studyrun import Context, Inputs, Position, Result, StudyError
from studyrun_extract.view import Activations
from studyrun_sae.artifacts import describe, fingerprint
from studyrun_sae.keeping import Keeper
from studyrun_sae.params import SaeTrain
from studyrun_sae.quality import quality
from studyrun_sae.sites import site_faults
from studyrun_sae.training import train

__all__ = ["run"]


def run(params: SaeTrain, inputs: Inputs, context: Context) -> Result:
    """An SAE of one site, trained on the train split; its quality on every split."""
    activations = cast(Activations, inputs["activations"])
    layer, position = _site(params, activations)
    x = activations.at(layer=layer, position=position).to(context.device)
    splits = activations.table["split"].to_list()
    train_rows = torch.tensor([split == "train" for split in splits], device=x.device)
    if not bool(train_rows.any()):
        raise StudyError("no problem is in the split 'train', so there is nothing to train on")

    def track(batches: Iterator[Tensor], total: int) -> Iterable[Tensor]:
        return context.track(batches, total=total, label="training the SAE", unit="steps")

    generator = context.generator("sae-train", params.seed)
    held_out = torch.tensor([split == "validation" for split in splits], device=x.device)
    watched = x[held_out] if params.held_out and bool(held_out.any()) else None
    trained = train(x[train_rows], params, generator, track, watched, _keeper(context))
    sae = replace(trained.sae, layer=layer, position=position)
    tensors = sae.weights | fingerprint(sae, x)
    return Result(
        tables={"table": trained.history, "quality": quality(sae, x, splits)},
        tensors={name: tensor.cpu().contiguous() for name, tensor in tensors.items()},
        meta=describe(sae) | {"n_train": int(train_rows.sum()), "model": activations.meta["model"]},
    )


def _keeper(context: Context) -> Keeper:
    made_by = {
        "device": context.device.type,
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
    }
    keeper = Keeper(context.partial(), made_by)
    if (state := keeper.found()) is not None:
        context.note(f"{len(state.facts['history'])} epochs were done by an earlier run")
    return keeper


def _site(params: SaeTrain, activations: Activations) -> tuple[int, Position]:
    layers, positions = activations.meta["layers"], activations.meta["positions"]
    faults = site_faults(params.layer, params.position, layers, positions)
    if faults:
        raise StudyError("; ".join(fault.message for fault in faults))
    layer = layers[0] if params.layer is None else params.layer
    return layer, positions[0] if params.position is None else params.position
