"""The step `classify`: labels for features, each one a tested association with a concept."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from studyrun import Component, hookimpl
from studyrun_classify.params import ClassifyParams, EnrichmentParams, ThresholdParams

__all__ = ["associate", "published_rule", "studyrun_components"]

_HOMES = {"associate": "studyrun_classify.association", "published_rule": "studyrun_classify.rule"}

if TYPE_CHECKING:
    from studyrun_classify.association import associate
    from studyrun_classify.rule import published_rule


@hookimpl
def studyrun_components() -> Iterable[Component]:
    """The step and its two classifiers."""
    yield Component(
        kind="step",
        name="classify",
        version="1",
        params=ClassifyParams,
        target="studyrun_classify.classify:run",
        takes=("problems", "feature-acts"),
        makes="labels",
        check="studyrun_classify.checks:check",
        summary="labels every feature: concepts tested against base rates, with intervals",
    )
    yield Component(
        kind="classifier",
        name="enrichment",
        version="1",
        params=EnrichmentParams,
        target="studyrun_classify.enrichment:classify",
        summary="labels from associations found on half of the problems, confirmed on the other",
    )
    yield Component(
        kind="classifier",
        name="thresholds",
        version="1",
        params=ThresholdParams,
        target="studyrun_classify.thresholds:classify",
        summary="labels from shares of a feature's top problems, untested: for comparison",
    )


def __getattr__(name: str) -> Any:
    """Import a public function on its first use; polars and scipy come with it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'studyrun_classify' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
