"""The models that a study can use: `codi` (continuous thoughts) and `hf` (any causal LM)."""

from __future__ import annotations

from studyrun import Component, hookimpl
from studyrun_models.params import CodiParams, HfParams

__all__ = ["CodiParams", "HfParams", "studyrun_components"]


@hookimpl
def studyrun_components() -> list[Component]:
    """The two model adapters."""
    return [
        Component(
            kind="model",
            name="codi",
            version="1",
            params=CodiParams,
            target="studyrun_models.codi:load",
            facts="studyrun_models.facts:codi_facts",
            check="studyrun_models.facts:codi_check",
            summary="A model of continuous thoughts (CODI), such as the embedded tiny-codi.",
        ),
        Component(
            kind="model",
            name="hf",
            version="1",
            params=HfParams,
            target="studyrun_models.hf:load",
            facts="studyrun_models.facts:hf_facts",
            check="studyrun_models.facts:hf_check",
            summary="Any causal language model that transformers loads, from safetensors.",
        ),
    ]
