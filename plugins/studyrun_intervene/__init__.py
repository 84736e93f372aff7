"""The intervene room: edits of feature activations, and what they change."""

from __future__ import annotations

from collections.abc import Iterable

from studyrun import Component, Law, NoParams, hookimpl
from studyrun_intervene.params import Amplify, AnswerEffect, EditFeatures, EditPairs

__all__ = ["studyrun_components"]

TAKES = ("sae", "feature-acts", "activations", "problems", "labels?", "model")


@hookimpl
def studyrun_components() -> Iterable[Component]:
    """Three interventions, the steps that every intervention gets, two effects."""
    yield from _interventions()
    yield Component(
        kind="step",
        name="edit-features",
        version="1",
        params=EditFeatures,
        target="studyrun_intervene.step:run_features",
        summary="edit features one by one and measure what changes",
        takes=TAKES,
        makes="effects",
        check="studyrun_intervene.checks:check_features",
        serves="intervention",
        arity=1,
    )
    yield Component(
        kind="step",
        name="edit-pairs",
        version="1",
        params=EditPairs,
        target="studyrun_intervene.step:run_pairs",
        summary="edit pairs of features and measure what changes",
        takes=TAKES,
        makes="effects",
        check="studyrun_intervene.checks:check_pairs",
        serves="intervention",
        arity=2,
    )
    yield Component(
        kind="effect",
        name="reconstruction",
        version="1",
        params=NoParams,
        target="studyrun_intervene.reconstruction:measure",
        summary="how far the edit moves the SAE's reconstruction",
    )
    yield Component(
        kind="effect",
        name="answer",
        version="1",
        params=AnswerEffect,
        target="studyrun_intervene.answer:measure",
        summary="how often the edit, made inside the model, changes the greedy answer",
    )


def _interventions() -> Iterable[Component]:
    yield Component(
        kind="intervention",
        name="ablate",
        version="1",
        params=NoParams,
        target="studyrun_intervene.interventions:ablate",
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
        target="studyrun_intervene.interventions:amplify",
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
        target="studyrun_intervene.interventions:swap",
        summary="exchange the activations of two features",
        laws=(Law("inactive-unchanged"), Law("involution"), Law("symmetric")),
        arity=2,
    )
