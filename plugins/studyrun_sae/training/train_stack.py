"""Training many SAEs as stacks: which share one, and the way from the first step to the last."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import islice

import torch
from jaxtyping import Float, Int
from torch import Tensor

from studyrun_sae.params import SaeTrain
from studyrun_sae.training.initial import input_scale
from studyrun_sae.training.stack import Stack, orders
from studyrun_sae.training.train import (
    Track,
    Trained,
    Training,
    keep,
    learning_rate,
    resumed,
    trained,
)
from studyrun_sae.training.trainer import Trainer

__all__ = ["UnlikeError", "alike", "train_stack"]


class UnlikeError(ValueError):
    """Trainings that cannot be one stack."""


def alike(params: SaeTrain, rows: int, d_in: int, done: int = 0) -> Hashable:
    """Trainings of which this is equal share a stack.

    It says what decides shapes, and when an epoch ends; what every member may have for itself
    (site, k, seed, rates, weights of the loss, where it starts, what dies when) is not in it.
    """
    return (
        repr(params.trained),
        rows,
        d_in,
        params.d_sae,
        params.batch_size,
        params.epochs,
        params.decoder_norm,
        (params.beta1, params.beta2),
        done,
    )


def train_stack(trainings: Sequence[Training], track: Track) -> list[Trained]:
    """What `train` gives of each, within rounding, all of them trained at once.

    Those of the same rows (the same tensor) and seed read each batch once.

    Args:
        trainings: that are `alike`.
        track: shows progress over the steps, which all take together.

    Raises:
        UnlikeError: they are not alike, if only because a state that was kept is damaged.
        ValueError: the rows of one of them have no variance.
    """
    members, scales = _begun(trainings)
    params = members[0].params
    done = len(members[0].history)
    if len({_kind(member) for member in members}) != 1:
        raise UnlikeError("trainings in one stack must be alike")
    sources, generators = _sources(trainings)
    stack, n = Stack(members, sources), len(members[0].x)
    steps_per_epoch = -(-n // params.batch_size)
    total = params.epochs * steps_per_epoch
    drawn = orders(n, params.epochs, generators, members[0].x.device)
    batches = _batches(islice(drawn, done, None), params.batch_size)
    done *= steps_per_epoch
    for step, rows in enumerate(track(batches, total - done), start=done):
        rates = [learning_rate(step, total, each.params) for each in trainings]
        stack.step(rows, rates)
        if (step + 1) % steps_per_epoch == 0:
            stack.end_epoch(rates)
            for member, training in zip(members, trainings, strict=True):
                keep(member, training.keeper)
    return [trained(*each) for each in zip(members, scales, strict=True)]


def _kind(member: Trainer) -> Hashable:
    rows, d_in = member.x.shape
    return alike(member.params, rows, d_in, len(member.history))


def _begun(trainings: Sequence[Training]) -> tuple[list[Trainer], list[float]]:
    """Trainers that took over what they find, and their scales; scaled rows are held once."""
    members, scales = [], []
    scaled: dict[tuple[int, float], Float[Tensor, "rows d_in"]] = {}
    for each in trainings:
        scale = input_scale(each.x, each.params.input_norm)
        x = scaled.setdefault((id(each.x), scale), each.x / scale)
        held_out = None if each.held_out is None else each.held_out / scale
        member = Trainer(x, each.params, each.generator, held_out)
        resumed(member, each.keeper)
        members.append(member)
        scales.append(scale)
    return members, scales


def _sources(trainings: Sequence[Training]) -> tuple[list[int], list[torch.Generator]]:
    """Which of the generators orders each training's rows: one for equal rows, seed and draws."""
    places: dict[Hashable, int] = {}
    generators: list[torch.Generator] = []
    sources: list[int] = []
    for each in trainings:
        params, seed = each.params, each.generator.initial_seed()
        same = (id(each.x), params.input_norm, seed, params.encoder_init)
        if same not in places:
            places[same] = len(generators)
            generators.append(each.generator)
        sources.append(places[same])
    return sources, generators


def _batches(
    drawn: Iterator[Int[Tensor, "sources rows"]], size: int
) -> Iterator[Int[Tensor, "sources batch"]]:
    for order in drawn:
        yield from torch.split(order, size, dim=1)
