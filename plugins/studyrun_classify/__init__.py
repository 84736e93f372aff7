"""The step `classify`: labels for features, each one a tested association with a concept."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from studyrun import Component, Law, hookimpl
from studyrun_classify.params import (
    ClassifyParams,
    EnrichmentParams,
    LinearProbe,
    ProbeParams,
    TaxonomyParams,
    ThresholdParams,
)

__all__ = ["associate", "associations", "published_rule", "studyrun_components"]

_HOMES = {
    "associate": "studyrun_classify.statistics.association",
    "associations": "studyrun_classify.statistics.scale",
    "published_rule": "studyrun_classify.classifiers.rule",
}

if TYPE_CHECKING:
    from studyrun_classify.classifiers.rule import published_rule
    from studyrun_classify.statistics.association import associate
    from studyrun_classify.statistics.scale import associations


@hookimpl
def studyrun_components() -> Iterable[Component]:
    """The steps and the classifiers."""
    yield from _steps()
    yield from _classifiers()


def _steps() -> Iterable[Component]:
    """What a study does with features and residuals."""
    yield Component(
        kind="step",
        name="classify",
        version="3",
        params=ClassifyParams,
        target="studyrun_classify.classify:run",
        takes=("problems", "feature-acts", "sae?"),
        makes="labels",
        check="studyrun_classify.checks:check",
        variants="studyrun_classify.variants:variants",
        tables="studyrun_classify.columns:tables",
        summary="labels every feature: concepts tested against base rates, with intervals",
    )
    yield Component(
        kind="step",
        name="linear-probe",
        version="1",
        params=LinearProbe,
        target="studyrun_classify.linear_probe:run",
        takes=("activations", "problems"),
        makes="probes",
        tables="studyrun_classify.columns:probe_tables",
        summary="which numbers of a problem a ridge regression reads off its residuals",
    )


def _classifiers() -> Iterable[Component]:
    """Ways to label features."""
    yield Component(
        kind="classifier",
        name="enrichment",
        version="2",
        params=EnrichmentParams,
        target="studyrun_classify.classifiers.enrichment:classify",
        check="studyrun_classify.checks:strata",
        laws=(Law("support", parameter="min_support"),),
        summary="labels from associations found on half of the problems, confirmed on the other",
    )
    yield Component(
        kind="classifier",
        name="probe",
        version="1",
        params=ProbeParams,
        target="studyrun_classify.classifiers.probe:classify",
        check="studyrun_classify.checks:strata",
        laws=(Law("support", parameter="min_support"),),
        summary="labels from features that sparse probes of half of the problems use, confirmed on "
        "the other",
    )
    yield Component(
        kind="classifier",
        name="thresholds",
        version="1",
        params=ThresholdParams,
        target="studyrun_classify.classifiers.thresholds:classify",
        summary="labels from shares of a feature's top problems, untested: for comparison",
    )
    yield Component(
        kind="classifier",
        name="taxonomy",
        version="1",
        params=TaxonomyParams,
        target="studyrun_classify.classifiers.taxonomy:classify",
        summary="operation-level, value-level or mixed by counts alone, untested: for comparison",
    )


def __getattr__(name: str) -> Any:
    """Import a public function on its first use; polars and scipy come with it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'studyrun_classify' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
