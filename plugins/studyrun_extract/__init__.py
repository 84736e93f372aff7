"""The steps `extract` and `load-activations`: a residual stream at sites, for every problem."""

from __future__ import annotations

from studyrun import Component, NoParams, hookimpl
from studyrun_extract.params import ExtractParams, LoadParams

__all__ = ["ExtractParams", "LoadParams", "studyrun_components"]


@hookimpl
def studyrun_components() -> list[Component]:
    """The steps and the typed view of what they make."""
    return [
        Component(
            kind="step",
            name="extract",
            version="3",
            params=ExtractParams,
            target="studyrun_extract.extract:run",
            takes=("problems", "model"),
            makes="activations",
            check="studyrun_extract.check:check",
            tables="studyrun_extract.columns:tables",
            estimate="studyrun_extract.estimate:estimate",
            summary="Residual-stream activations at sites (layer, position), one row per problem.",
        ),
        Component(
            kind="step",
            name="load-activations",
            version="1",
            params=LoadParams,
            target="studyrun_extract.load_step:run",
            takes=("problems?",),
            makes="activations",
            check="studyrun_extract.loading:check",
            digest="studyrun_extract.loading:digest",
            tables="studyrun_extract.columns:tables",
            estimate="studyrun_extract.loading:estimate",
            summary="Activations from a file: safetensors, .npy or .pt; no model is needed.",
        ),
        Component(
            kind="artifact",
            name="activations",
            version="1",
            params=NoParams,
            target="studyrun_extract.view:Activations",
            summary="`.at(layer=14, position=3)` -> (n, d_model); `.sites`.",
        ),
    ]
