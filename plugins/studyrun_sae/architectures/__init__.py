"""Architectures: from pre-activations to feature activations, each one small class in a module."""

from __future__ import annotations

from studyrun_sae.architectures.abstopk import AbsTopK
from studyrun_sae.architectures.batchtopk import BatchTopK
from studyrun_sae.architectures.contract import Active, Architecture, KSparse
from studyrun_sae.architectures.gated import Gated
from studyrun_sae.architectures.groupmax import GroupMax
from studyrun_sae.architectures.jumprelu import JumpReLU
from studyrun_sae.architectures.matryoshka import Matryoshka
from studyrun_sae.architectures.standard import Standard
from studyrun_sae.architectures.topk import TopK

__all__ = [
    "ARCHITECTURES",
    "K_SPARSE",
    "AbsTopK",
    "Active",
    "Architecture",
    "BatchTopK",
    "Gated",
    "GroupMax",
    "JumpReLU",
    "KSparse",
    "Matryoshka",
    "Standard",
    "TopK",
]

K_SPARSE: dict[str, type[KSparse]] = {each.name: each for each in (TopK, AbsTopK, GroupMax)}
"""Those that need k and no tensors of their own."""
ARCHITECTURES: dict[str, type[Architecture]] = {
    **K_SPARSE,
    **{each.name: each for each in (BatchTopK, Matryoshka, JumpReLU, Gated, Standard)},
}
"""Every one by the name that studies and files use."""
