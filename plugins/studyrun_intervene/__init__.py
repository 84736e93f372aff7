"""The intervene room: edits of feature activations, and what they change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from studyrun import Component, Law, NoParams, Read, hookimpl
from studyrun_intervene.measures import MEASURES
from studyrun_intervene.params import (
    Amplify,
    EditFeatures,
    EditPairs,
    LensEffect,
    Patch,
    Steer,
)

__all__ = ["studyrun_components"]

FEATURES = ("sae", "feature-acts", "activations", "problems", "labels?")


@hookimpl
def studyrun_components() -> Iterable[Component]:
    """Interventions, the steps that each gets, edits of the residual itself, and effects."""
    yield from _interventions()
    yield from _templates()
    yield from _others()
    yield from _effects()


def _templates() -> Iterable[Component]:
    """The steps that every intervention gets."""
    yield Component(
        kind="step",
        name="edit-features",
        version="2",
        params=EditFeatures,
        target="studyrun_intervene.steps.editing:run_features",
        summary="edit features one by one and measure what changes",
        takes=(*FEATURES, "model?"),  # the reconstruction asks for none
        makes="effects",
        check="studyrun_intervene.checks:check_features",
        tables="studyrun_intervene.columns:feature_tables",
        estimate="studyrun_intervene.estimate:estimate_features",
        serves="intervention",
        arity=1,
    )
    yield Component(
        kind="step",
        name="edit-pairs",
        version="2",
        params=EditPairs,
        target="studyrun_intervene.steps.editing:run_pairs",
        summary="edit pairs of features and measure what changes",
        takes=(*FEATURES, "model?"),  # the reconstruction asks for none
        makes="effects",
        check="studyrun_intervene.checks:check_pairs",
        tables="studyrun_intervene.columns:pair_tables",
        estimate="studyrun_intervene.estimate:estimate_pairs",
        serves="intervention",
        arity=2,
    )


def _others() -> Iterable[Component]:
    """Edits of the residual itself, without features."""
    for name, params, takes, about in (
        (
            "patch",
            Patch,
            ("activations", "problems", "model"),
            "take the residual of another problem",
        ),
        ("steer", Steer, (*FEATURES, "model"), "add a multiple of a direction to the residual"),
    ):
        yield Component(
            kind="step",
            name=name,
            version="1",
            params=params,
            target=f"studyrun_intervene.steps.{name}:run",
            summary=f"{about} and measure what changes",
            takes=takes,
            makes="effects",
            check=f"studyrun_intervene.checks:check_{name}",
            tables=f"studyrun_intervene.columns:{name}_tables",
            estimate=f"studyrun_intervene.estimate:estimate_{name}",
        )


def _effects() -> Iterable[Component]:
    """What is read of edited runs of the model, and of the SAE alone."""
    every: tuple[tuple[str, Read, type, str], ...] = (
        ("next-token", "logits", NoParams, "the answer's first token: KL, log-probability, rank"),
        ("answer", "answers", NoParams, "the greedy answer: changed, right before and after"),
        ("thoughts", "states", NoParams, "how far each later thought moves"),
        ("logit-lens", "states", LensEffect, "which tokens each later thought decodes to"),
    )
    for name, read, params, about in every:
        yield Component(
            kind="effect",
            name=name,
            version="2" if name == "answer" else "1",
            params=params,
            target=f"studyrun_intervene.effects.{name.replace('-', '_')}:measure",
            summary=about,
            reads=(read,),
            measures=MEASURES[name],
        )
    yield Component(
        kind="effect",
        name="reconstruction",
        version="1",
        params=NoParams,
        target="studyrun_intervene.effects.reconstruction:measure",
        summary="how far the edit moves the SAE's reconstruction",
    )


def _interventions() -> Iterable[Component]:
    yield Component(
        kind="intervention",
        name="ablate",
        version="1",
        params=NoParams,
        target="studyrun_intervene.edits.interventions:ablate",
        summary="set features to 0",
        laws=(
            Law("featurewise"),
            Law("idempotent"),
            Law("inactive-unchanged"),
            Law("union"),
        ),
    )
    yield Component(
        kind="intervention",
        name="amplify",
        version="1",
        params=Amplify,
        target="studyrun_intervene.edits.interventions:amplify",
        summary="multiply features by a factor",
        laws=(
            Law("featurewise"),
            Law("inactive-unchanged"),
            Law("identity-at", parameter="factor", value=1.0),
            Law("equals", parameter="factor", value=0.0, other="ablate"),
            Law("multiplicative", parameter="factor"),
        ),
    )
    yield Component(
        kind="intervention",
        name="swap",
        version="1",
        params=NoParams,
        target="studyrun_intervene.edits.interventions:swap",
        summary="exchange the activations of two features",
        laws=(Law("inactive-unchanged"), Law("involution"), Law("symmetric")),
        arity=2,
    )
    others: tuple[tuple[str, Literal["mean", "other"], str], ...] = (
        ("mean-ablate", "mean", "set features to their mean over the problems"),
        ("resample-ablate", "other", "set features to what they are on another problem"),
    )
    for name, reference, about in others:
        yield Component(
            kind="intervention",
            name=name,
            version="1",
            params=NoParams,
            target="studyrun_intervene.edits.interventions:substitute",
            summary=about,
            laws=(Law("featurewise"), Law("idempotent"), Law("union")),
            reference=reference,
        )
