"""`sae-train` of many at once: jobs that may share a stack are trained as one computation.

On a GPU one small SAE leaves most of the device idle: a step is some hundred launches, and a stack
of 48 takes as many. On a processor there is nothing to win, so nothing is stacked there: every
job is left to run by itself, one after the other, to the same bytes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from studyrun import Context, Job, Result, StudyError
from studyrun_extract.view import Activations
from studyrun_sae.estimate import member_bytes, site_bytes
from studyrun_sae.params import SaeTrain
from studyrun_sae.train_step import (
    Site,
    chosen,
    keeper_of,
    result_of,
    site_of,
    sound,
    told,
    training_of,
)
from studyrun_sae.training.initial import square_deviation
from studyrun_sae.training.train import Training
from studyrun_sae.training.train_stack import UnlikeError, alike, train_stack

__all__ = ["Planned", "run_many", "stacked", "stacks"]

Numbered = tuple[int, Result]


def run_many(jobs: Sequence[Job]) -> Iterator[Numbered]:
    """The results of jobs that shared a stack; the others are left out.

    Left out is what has nobody to share with, what does not fit, and what fails (no variance, a
    loss that is not a number): it runs alone, and tells its own error.
    """
    if jobs and jobs[0].context.device.type != "cpu":
        yield from stacked(jobs)


def stacked(jobs: Sequence[Job]) -> Iterator[Numbered]:
    """The same on any device."""
    planned = [found for number, job in enumerate(jobs) if (found := _planned(number, job))]
    if planned:
        for stack in stacks(planned, jobs[0].context.many_bytes):
            yield from _trained([(each, jobs[each.number]) for each in stack])


@dataclass(frozen=True, slots=True)
class Planned:
    """A job as the sharing of stacks sees it."""

    number: int
    alike: Hashable
    """Those of which it is equal may share a stack."""
    site: Hashable
    own: int
    """Bytes that it takes in a stack."""
    shared: int
    """Bytes that its site takes, once for all of its members."""


def stacks(planned: Iterable[Planned], room: int) -> Iterator[list[Planned]]:
    """Jobs that are alike, by site, as many together as there is room for; two at least."""
    groups: dict[Hashable, list[Planned]] = {}
    for each in planned:
        groups.setdefault(each.alike, []).append(each)
    for group in groups.values():
        group.sort(key=lambda each: (str(each.site), each.number))
        yield from (stack for stack in _cut(group, room) if len(stack) > 1)


def _cut(group: Sequence[Planned], room: int) -> Iterator[list[Planned]]:
    stack: list[Planned] = []
    sites: set[Hashable] = set()
    taken = 0
    for each in group:
        more = each.own + (0 if each.site in sites else each.shared)
        if stack and taken + more > room:
            yield stack
            stack, sites, taken, more = [], set(), 0, each.own + each.shared
        stack.append(each)
        sites.add(each.site)
        taken += more
    yield stack


def _planned(number: int, job: Job) -> Planned | None:
    """None for a job whose site is not there; alone it says so."""
    params, activations = cast(SaeTrain, job.params), cast(Activations, job.inputs["activations"])
    try:
        layer, position = chosen(params, activations)
        shape = activations.at(layer=layer, position=position).shape
    except (StudyError, KeyError):
        return None
    n, d_in = int((activations.table["split"] == "train").sum()), shape[1]
    own = member_bytes(params, min(params.batch_size, n), d_in)
    same = alike(params, n, d_in, keeper_of(job.context).epochs)
    site = (activations.manifest.key, layer, position)
    return Planned(number, same, site, own, site_bytes(shape[0], d_in))


def _trained(stack: Sequence[tuple[Planned, Job]]) -> Iterator[Numbered]:
    """The results of a stack; halved, from its kept states, where memory does not suffice."""
    try:
        done = _together(stack)
    except torch.OutOfMemoryError:
        done = None  # the work is done after the block: the traceback holds the tensors
    if done is not None:
        yield from done
    elif len(stack) > 1:
        context, half = stack[0][1].context, len(stack) // 2
        context.note(f"out of memory with {len(stack)} SAEs at once, going on with {half}")
        if context.device.type == "cuda":
            torch.cuda.empty_cache()
        yield from _trained(stack[:half])
        yield from _trained(stack[half:])


def _together(stack: Sequence[tuple[Planned, Job]]) -> list[Numbered]:
    """The results of one stack; without those that cannot be trained, or came to no number."""
    sites: dict[Hashable, Site] = {}
    kept: list[tuple[int, Site, Training, Context]] = []
    for planned, job in stack:
        try:
            if planned.site not in sites:
                sites[planned.site] = site_of(job.params, job.inputs, job.context.device)
        except StudyError:
            continue
        site = sites[planned.site]
        if learnable(site.train):
            training = training_of(site, job.params, job.context)
            kept.append((planned.number, site, training, job.context))
    if len(kept) < 2:
        return []
    return _results(kept)


def _results(kept: Sequence[tuple[int, Site, Training, Context]]) -> list[Numbered]:
    context = kept[0][3]

    def track(batches: Iterator[Tensor], total: int) -> Iterable[Tensor]:
        label = f"training {len(kept)} SAEs at once"
        return context.track(batches, total=total, label=label, unit="steps")

    for _, _, training, own in kept:
        told(training.keeper, own)
    try:
        found = train_stack([training for _, _, training, _ in kept], track)
    except UnlikeError:
        return []
    pairs = zip(kept, found, strict=True)
    return [
        (number, result_of(trained, site))
        for (number, site, _, _), trained in pairs
        if sound(trained)
    ]


def learnable(x: Tensor) -> bool:
    """Whether rows are finite and not all alike."""
    return 0 < square_deviation(x) < torch.inf
