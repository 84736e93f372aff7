"""Between the SAE value and its neutral form: what a format is given and gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from torch import Tensor

from studyrun import SaeWeights, StudyError
from studyrun_sae.architectures import ARCHITECTURES, Architecture, BatchTopK, GroupMax, JumpReLU
from studyrun_sae.sae import SAE, WEIGHTS

__all__ = ["sae_of", "weights_of"]


def sae_of(weights: SaeWeights, source: str) -> SAE:
    """The SAE, known to be one that can be computed with.

    Args:
        weights: its neutral form.
        source: whose fault it is if it is none.

    Raises:
        StudyError: the architecture is unknown, a tensor or a setting is missing, does not fit,
            is not finite, or would make another SAE of it than was trained.
    """
    architecture = _architecture(weights, source)
    W_enc, b_enc, W_dec, b_dec = (_tensor(weights, name, source) for name in WEIGHTS)
    try:
        sae = SAE(W_enc, b_enc, W_dec, b_dec, architecture, weights.layer, weights.position)
    except ValueError as error:
        raise StudyError(f"{source}: {error}") from error
    for fault in _faults(sae):
        raise StudyError(f"{source}: {fault}")
    return sae


def weights_of(sae: SAE) -> SaeWeights:
    """The neutral form."""
    return SaeWeights(
        sae.architecture.name, sae.weights, sae.architecture.settings, sae.layer, sae.position
    )


def _architecture(weights: SaeWeights, source: str) -> Architecture:
    cls = ARCHITECTURES.get(weights.architecture)
    if cls is None:
        known = ", ".join(ARCHITECTURES)
        raise StudyError(f"{source} has architecture {weights.architecture!r}; known are {known}")
    given: dict[str, Any] = {name: _tensor(weights, name, source) for name in cls.TENSORS}
    names = {field.name for field in fields(cls)} - given.keys()
    given |= {name: weights.settings[name] for name in names & {*weights.settings}}
    try:
        return cls(**given)
    except TypeError as error:
        raise StudyError(f"{source} lacks a setting of a {cls.name} SAE: {error}") from error


def _tensor(weights: SaeWeights, name: str, source: str) -> Tensor:
    if name not in weights.tensors:
        raise StudyError(f"{source} lacks the tensor {name} of a {weights.architecture} SAE")
    return weights.tensors[name]


def _faults(sae: SAE) -> Iterator[str]:
    for name, tensor in sae.weights.items():
        if not bool(tensor.isfinite().all()):
            yield f"{name} holds values that are not finite"
    k, d_sae = sae.architecture.settings.get("k"), sae.d_sae
    if k is not None and not 0 < k <= d_sae:
        yield f"k is {k}, but there are d_sae = {d_sae} features"
    match sae.architecture:
        case GroupMax(k=groups) if d_sae % groups:
            yield f"{d_sae} features are no {groups} groups of one size"
        case BatchTopK(threshold=threshold) | JumpReLU(threshold=threshold):
            if not bool((threshold > 0).any()):
                yield (
                    f"threshold is {float(threshold.max()):g} at most, with which the SAE would be "
                    "a dense ReLU: it was lost, or never learnt"
                )
