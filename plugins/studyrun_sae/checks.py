"""Faults of the training steps that show before anything runs; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator

from studyrun import CheckScope, Fault
from studyrun_sae.params import SaeTrain
from studyrun_sae.sites import site_faults, stated_sites

__all__ = ["check_training"]


def check_training(params: SaeTrain, scope: CheckScope) -> Iterator[Fault]:
    """What contradicts itself, and a site that the only source of activations cannot give."""
    if params.k > params.d_sae:
        yield Fault(("k",), f"k is {params.k}, but there are only d_sae = {params.d_sae} features")
    yield from _architecture_faults(params)
    if params.decay != "cosine" and params.warmup + params.decay > 1:
        total = params.warmup + params.decay
        yield Fault(("decay",), f"warmup and decay take {total:g} of the steps; at most 1 is there")
    sources = [step for step in scope.steps.values() if step.component.makes == "activations"]
    held = stated_sites(sources[0].params) if len(sources) == 1 else None
    if held is not None:
        yield from site_faults(params.layer, params.position, held["layer"], held["position"])


def _architecture_faults(params: SaeTrain) -> Iterator[Fault]:
    try:
        name, own = params.trained
    except ValueError as error:
        yield Fault(("architecture",), str(error))
        return
    groups = getattr(own, "groups", None)
    if groups and sum(groups) != params.d_sae:
        message = f"the groups have {sum(groups)} features, but d_sae is {params.d_sae}"
        yield Fault(("architecture", name, "groups"), message)
