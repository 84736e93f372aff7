"""The steps `sae-train` and `sae-train-abstopk`, one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from studyrun import Context, Inputs, Position, Result, StudyError
from studyrun_extract.view import Activations
from studyrun_sae.artifacts import describe, fingerprint
from studyrun_sae.params import SaeTrain
from studyrun_sae.quality import quality
from studyrun_sae.sites import site_faults
from studyrun_sae.training.keeping import Keeper
from studyrun_sae.training.train import Trained, Training, train

__all__ = ["Site", "chosen", "keeper_of", "result_of", "run", "site_of", "told", "training_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """The activations that SAEs of one site are trained on and judged by."""

    layer: int
    position: Position
    x: Float[Tensor, "rows d_in"]
    splits: Sequence[str]
    """Of every row."""
    model: Any
    """Which model they were read from, as the activations tell it."""
    train: Float[Tensor, "train d_in"]
    """The rows to train on."""
    held_out: Float[Tensor, "held_out d_in"] | None
    """Those of the validation split, if there are any."""


def run(params: SaeTrain, inputs: Inputs, context: Context) -> Result:
    """An SAE of one site, trained on the train split; its quality on every split."""
    site = site_of(params, inputs, context.device)

    def track(batches: Iterator[Tensor], total: int) -> Iterable[Tensor]:
        return context.track(batches, total=total, label="training the SAE", unit="steps")

    given = training_of(site, params, context)
    told(given.keeper, context)
    trained = train(given.x, params, given.generator, track, given.held_out, given.keeper)
    if not sound(trained):
        raise StudyError(
            "training came to weights that are no numbers; a smaller `lr`, `warmup`, or "
            "`input_norm: rms` keeps it stable"
        )
    return result_of(trained, site)


def sound(trained: Trained) -> bool:
    """Whether training came to numbers."""
    return all(bool(tensor.isfinite().all()) for tensor in trained.sae.weights.values())


def site_of(params: SaeTrain, inputs: Inputs, device: torch.device) -> Site:
    """The site that the parameters name, on the device.

    Raises:
        StudyError: it is not among those that were read, or no row is there to train on.
    """
    activations = cast(Activations, inputs["activations"])
    layer, position = chosen(params, activations)
    x = activations.at(layer=layer, position=position).to(device)
    splits = activations.table["split"].to_list()
    training, held_out = (_of_split(splits, name).to(device) for name in ("train", "validation"))
    if not bool(training.any()):
        raise StudyError("no problem is in the split 'train', so there is nothing to train on")
    watched = x[held_out] if bool(held_out.any()) else None
    return Site(layer, position, x, splits, activations.meta["model"], x[training], watched)


def training_of(site: Site, params: SaeTrain, context: Context) -> Training:
    """What training is given; its chance and its folder are the step's own."""
    generator = context.generator("sae-train", params.seed)
    watched = site.held_out if params.held_out else None
    return Training(site.train, params, generator, watched, keeper_of(context))


def keeper_of(context: Context) -> Keeper:
    """The step's folder, for states of this machinery."""
    made_by = {
        "device": context.device.type,
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
    }
    return Keeper(context.partial(), made_by)


def told(keeper: Keeper | None, context: Context) -> None:
    """Tell the run what an earlier one has done."""
    if keeper is not None and (state := keeper.found()) is not None:
        context.note(f"{len(state.facts['history'])} epochs were done by an earlier run")


def result_of(trained: Trained, site: Site) -> Result:
    """What the step stores."""
    sae = replace(trained.sae, layer=site.layer, position=site.position)
    tensors = sae.weights | fingerprint(sae, site.x)
    return Result(
        tables={"table": trained.history, "quality": quality(sae, site.x, site.splits)},
        tensors={name: tensor.cpu().contiguous() for name, tensor in tensors.items()},
        meta=describe(sae) | {"n_train": len(site.train), "model": site.model},
    )


def chosen(params: SaeTrain, activations: Activations) -> tuple[int, Position]:
    """Layer and position of the site.

    Raises:
        StudyError: it is not among those that were read.
    """
    layers, positions = activations.meta["layers"], activations.meta["positions"]
    faults = site_faults(params.layer, params.position, layers, positions)
    if faults:
        raise StudyError("; ".join(fault.message for fault in faults))
    layer = layers[0] if params.layer is None else params.layer
    return layer, positions[0] if params.position is None else params.position


def _of_split(splits: Sequence[str], name: str) -> Bool[Tensor, " rows"]:
    return torch.tensor([split == name for split in splits])
