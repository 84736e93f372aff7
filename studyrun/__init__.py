"""studyrun: one YAML file in, a report out in which every claim carries its evidence."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = [
    "Absent",
    "Artifact",
    "Asked",
    "Bound",
    "CheckScope",
    "Classification",
    "Classifier",
    "ClassifierRef",
    "ColumnTitle",
    "Compared",
    "Component",
    "Concept",
    "ConceptRef",
    "ConceptSource",
    "Context",
    "DataRef",
    "Effect",
    "EffectCase",
    "EffectRef",
    "Estimate",
    "Evidence",
    "Fault",
    "FilePath",
    "Findings",
    "Fraction",
    "Inputs",
    "Intervention",
    "Job",
    "Kind",
    "Law",
    "LogitLens",
    "Measure",
    "Measurement",
    "Model",
    "ModelFacts",
    "NoModel",
    "NoParams",
    "NonNegativeInt",
    "Paragraph",
    "Picture",
    "PluginError",
    "Position",
    "PositiveFloat",
    "PositiveInt",
    "QuestionsRefused",
    "RankRange",
    "Read",
    "Reading",
    "Ref",
    "Refusing",
    "Replay",
    "Result",
    "Rows",
    "Run",
    "RunEffect",
    "Runs",
    "SaeFormat",
    "SaeFormatRef",
    "SaeFormatSource",
    "SaeWeights",
    "Section",
    "SectionRef",
    "SectionSource",
    "SiteEdit",
    "SiteEdits",
    "Step",
    "StudyError",
    "Table",
    "Variant",
    "__version__",
    "hookimpl",
    "open_run",
    "run",
]
__version__ = "0.1.0"

_HOMES = {
    "studyrun.analysis": (
        "Asked",
        "Classification",
        "Classifier",
        "Concept",
        "ConceptSource",
        "Effect",
        "EffectCase",
        "Evidence",
        "Intervention",
        "Measurement",
        "Reading",
        "RunEffect",
    ),
    "studyrun.artifacts": ("Artifact", "Result"),
    "studyrun.columns": ("Table",),
    "studyrun.comparing": ("Compared",),
    "studyrun.contracts": (
        "Absent",
        "Bound",
        "CheckScope",
        "Component",
        "Context",
        "Estimate",
        "Fault",
        "Inputs",
        "Job",
        "Kind",
        "Law",
        "Measure",
        "ModelFacts",
        "Position",
        "Step",
        "Variant",
    ),
    "studyrun.edits": ("Read", "Replay", "Runs", "SiteEdits"),
    "studyrun.errors": ("NoModel", "PluginError", "QuestionsRefused", "StudyError"),
    "studyrun.hookspecs": ("hookimpl",),
    "studyrun.launch": ("run",),
    "studyrun.models": ("LogitLens", "Model", "Refusing", "SiteEdit"),
    "studyrun.params": (
        "ClassifierRef",
        "ConceptRef",
        "DataRef",
        "EffectRef",
        "FilePath",
        "Fraction",
        "NoParams",
        "NonNegativeInt",
        "PositiveFloat",
        "PositiveInt",
        "RankRange",
        "Ref",
        "SaeFormatRef",
        "SectionRef",
    ),
    "studyrun.runs": ("Run", "open_run"),
    "studyrun.saes": ("SaeFormat", "SaeFormatSource", "SaeWeights"),
    "studyrun.sections": (
        "ColumnTitle",
        "Findings",
        "Paragraph",
        "Picture",
        "Rows",
        "Section",
        "SectionSource",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from studyrun.analysis import (
        Asked,
        Classification,
        Classifier,
        Concept,
        ConceptSource,
        Effect,
        EffectCase,
        Evidence,
        Intervention,
        Measurement,
        Reading,
        RunEffect,
    )
    from studyrun.artifacts import Artifact, Result
    from studyrun.columns import Table
    from studyrun.comparing import Compared
    from studyrun.contracts import (
        Absent,
        Bound,
        CheckScope,
        Component,
        Context,
        Estimate,
        Fault,
        Inputs,
        Job,
        Kind,
        Law,
        Measure,
        ModelFacts,
        Position,
        Step,
        Variant,
    )
    from studyrun.edits import Read, Replay, Runs, SiteEdits
    from studyrun.errors import NoModel, PluginError, QuestionsRefused, StudyError
    from studyrun.hookspecs import hookimpl
    from studyrun.launch import run
    from studyrun.models import LogitLens, Model, Refusing, SiteEdit
    from studyrun.params import (
        ClassifierRef,
        ConceptRef,
        DataRef,
        EffectRef,
        FilePath,
        Fraction,
        NonNegativeInt,
        NoParams,
        PositiveFloat,
        PositiveInt,
        RankRange,
        Ref,
        SaeFormatRef,
        SectionRef,
    )
    from studyrun.runs import Run, open_run
    from studyrun.saes import SaeFormat, SaeFormatSource, SaeWeights
    from studyrun.sections import (
        ColumnTitle,
        Findings,
        Paragraph,
        Picture,
        Rows,
        Section,
        SectionSource,
    )


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'studyrun' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value
