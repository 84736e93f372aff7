"""Training an SAE: a function of activations, recipe and generator, nothing else.

On CPU the same generator and the same number of threads give the same bytes. Sums run along one
dimension at a time, whose order no thread count changes; but products of some shapes (2048 x 512
among them) differ in their last bits between one thread and several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import cos, pi

import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor

from studyrun_sae import columns
from studyrun_sae.params import SaeTrain
from studyrun_sae.sae import SAE
from studyrun_sae.training.initial import input_scale
from studyrun_sae.training.keeping import Keeper
from studyrun_sae.training.trainer import Trainer

__all__ = ["Trained", "Training", "keep", "learning_rate", "resumed", "train", "trained"]

Track = Callable[[Iterator[Tensor], int], Iterable[Tensor]]
"""(items, total) -> the items again, with progress."""


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """What one training is given; see `train`."""

    x: Float[Tensor, "rows d_in"]
    params: SaeTrain
    generator: torch.Generator
    held_out: Float[Tensor, "held_out d_in"] | None = None
    keeper: Keeper | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What training returns."""

    sae: SAE
    history: pl.DataFrame
    """Of the rows trained on while the weights moved; `dead`: active on none of them."""


def train(
    x: Float[Tensor, "rows d_in"],
    params: SaeTrain,
    generator: torch.Generator,
    track: Track,
    held_out: Float[Tensor, "held_out d_in"] | None = None,
    keeper: Keeper | None = None,
) -> Trained:
    """An SAE of the rows of `x`.

    Args:
        x: residuals of the train split, on the device to train on.
        params: the recipe.
        generator: on CPU; the only source of chance, so that every device draws alike.
        track: shows progress over the steps.
        held_out: rows that are reconstructed after every epoch, for the history alone.
        keeper: keeps its state, and has the one of an earlier attempt; the bytes are the same.

    Raises:
        ValueError: `x` has no variance, so there is nothing to learn.
    """
    scale = input_scale(x, params.input_norm)
    steps_per_epoch = -(-len(x) // params.batch_size)
    total = params.epochs * steps_per_epoch
    trainer = Trainer(x / scale, params, generator, None if held_out is None else held_out / scale)
    done = steps_per_epoch * resumed(trainer, keeper)
    batches = islice(_batches(len(x), params, generator), done, None)
    for step, rows in enumerate(track(batches, total - done), start=done):
        lr = learning_rate(step, total, params)
        trainer.step(rows.to(x.device), lr)
        if (step + 1) % steps_per_epoch == 0:
            trainer.end_epoch(lr)
            keep(trainer, keeper)
    return trained(trainer, scale)


def trained(trainer: Trainer, scale: float) -> Trained:
    """What a trainer of x / scale has come to."""
    history = pl.DataFrame(trainer.history, columns.history(trainer.params).schema())
    return Trained(trainer.sae.rescaled(scale), history)


def resumed(trainer: Trainer, keeper: Keeper | None) -> int:
    """How many epochs an earlier attempt has done, whose state the trainer takes over."""
    if keeper is None:
        return 0
    if (state := keeper.found()) is not None:
        trainer.go_on(state)
    keeper.begin(trainer.history)
    return len(trainer.history)


def keep(trainer: Trainer, keeper: Keeper | None) -> None:
    """Write the epoch that has ended, and now and then the state."""
    if keeper is not None:
        keeper.epoch(trainer.history[-1])
        if keeper.due and len(trainer.history) < trainer.params.epochs:
            keeper.keep(trainer.state)


def learning_rate(step: int, total: int, params: SaeTrain) -> float:
    """The rate of step `step` of `total`: up over `warmup`, constant, down over `decay`.

    With decay `cosine`: (1 + cos(pi t)) / 2, t from 0 at the end of `warmup` to 1.
    """
    risen = params.warmup * total
    up = (step + 1) / risen if params.warmup else 1.0
    if params.decay == "cosine":
        t = max(0.0, step - risen) / max(1.0, total - risen)
        down = (1 + cos(pi * t)) / 2
    else:
        down = (total - step) / (params.decay * total) if params.decay else 1.0
    return params.lr * min(1.0, up, down)


def _batches(n: int, params: SaeTrain, generator: torch.Generator) -> Iterator[Tensor]:
    for _ in range(params.epochs):
        order = torch.randperm(n, generator=generator)
        for start in range(0, n, params.batch_size):
            yield order[start : start + params.batch_size]
