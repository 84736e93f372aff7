"""Faults of the training steps that show before anything runs; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator

from studyrun import CheckScope, Fault
from studyrun_sae.params import SaeTrain
from studyrun_sae.sites import site_faults

__all__ = ["check_training"]


def check_training(params: SaeTrain, scope: CheckScope) -> Iterator[Fault]:
    """K above d_sae, and a site that the study's only source of activations cannot give."""
    if params.k > params.d_sae:
        yield Fault(("k",), f"k is {params.k}, but there are only d_sae = {params.d_sae} features")
    if params.warmup + params.decay > 1:
        total = params.warmup + params.decay
        yield Fault(("decay",), f"warmup and decay take {total:g} of the steps; at most 1 is there")
    sources = [step for step in scope.steps.values() if step.component.makes == "activations"]
    if len(sources) == 1 and hasattr(sources[0].params, "layers"):
        read = sources[0].params
        yield from site_faults(params.layer, params.position, read.layers, read.positions)
