"""What features are beside their labels: portraits of each, and which of them fire together."""

from __future__ import annotations

from collections.abc import Iterable

from studyrun import Component, hookimpl
from studyrun_features.params import Coactivation, Portraits

__all__ = ["studyrun_components"]


@hookimpl
def studyrun_components() -> Iterable[Component]:
    """Two steps that ask no concepts."""
    yield Component(
        kind="step",
        name="portraits",
        version="1",
        params=Portraits,
        target="studyrun_features.portraits:run",
        takes=("sae", "feature-acts", "model?"),
        makes="portraits",
        tables="studyrun_features.columns:portraits",
        estimate="studyrun_features.estimate:portraits",
        summary="of every feature: activations, samples, neighbours, the tokens of its direction",
    )
    yield Component(
        kind="step",
        name="coactivation",
        version="1",
        params=Coactivation,
        target="studyrun_features.coactivation:run",
        takes=("feature-acts", "problems?"),
        makes="coactivation",
        check="studyrun_classify.checks:strata",
        tables="studyrun_features.columns:coactivation",
        estimate="studyrun_features.estimate:coactivation",
        summary="which features fire together beyond chance, tested; modules of them",
    )
