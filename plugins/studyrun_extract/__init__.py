"""The step `extract`: a model's residual stream at chosen sites, for every problem."""

from __future__ import annotations

from studyrun import Component, NoParams, hookimpl
from studyrun_extract.params import ExtractParams

__all__ = ["ExtractParams", "studyrun_components"]


@hookimpl
def studyrun_components() -> list[Component]:
    """The step and the typed view of what it makes."""
    return [
        Component(
            kind="step",
            name="extract",
            version="1",
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
            kind="artifact",
            name="activations",
            version="1",
            params=NoParams,
            target="studyrun_extract.view:Activations",
            summary="`.at(layer=14, position=3)` -> (n, d_model); `.sites`.",
        ),
    ]
