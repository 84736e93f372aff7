"""The SAE room: the value, its maths, training, encoding, foreign files, and what they leave."""

from __future__ import annotations

from collections.abc import Iterable

from studyrun import Component, NoParams, hookimpl
from studyrun_sae.formats.components import FOREIGN
from studyrun_sae.params import AbsTopKRecipe, SaeTrain

__all__ = ["studyrun_components"]


@hookimpl
def studyrun_components() -> Iterable[Component]:
    """Training (one function, two sets of defaults), encoding, foreign files, artifact types."""
    yield Component(
        kind="step",
        name="sae-train",
        version="2",
        params=SaeTrain,
        target="studyrun_sae.train_step:run",
        many="studyrun_sae.train_many:run_many",
        summary="train a sparse autoencoder on the activations of one site",
        takes=("activations",),
        makes="sae",
        check="studyrun_sae.checks:check_training",
        tables="studyrun_sae.columns:training",
        estimate="studyrun_sae.estimate:estimate",
    )
    yield Component(
        kind="step",
        name="sae-train-abstopk",
        version="2",
        params=AbsTopKRecipe,
        target="studyrun_sae.train_step:run",
        many="studyrun_sae.train_many:run_many",
        summary="sae-train with the defaults of the investigation this project grew out of",
        takes=("activations",),
        makes="sae",
        check="studyrun_sae.checks:check_training",
        tables="studyrun_sae.columns:training",
        estimate="studyrun_sae.estimate:estimate",
    )
    yield Component(
        kind="step",
        name="sae-encode",
        version="1",
        params=NoParams,
        target="studyrun_sae.encode_step:run",
        summary="the active features of every problem, as rows (problem, feature, activation)",
        takes=("activations", "sae"),
        makes="feature-acts",
        tables="studyrun_sae.columns:encoding",
    )
    yield from FOREIGN
    yield Component(
        kind="artifact",
        name="sae",
        version="1",
        params=NoParams,
        target="studyrun_sae.artifacts:SaeArtifact",
        summary="an SAE; `.load()` checks its fingerprint and returns it",
    )
    yield Component(
        kind="artifact",
        name="feature-acts",
        version="1",
        params=NoParams,
        target="studyrun_sae.artifacts:FeatureActs",
        summary="active (problem, feature, activation) triples; `.dense(split)` is a tensor",
    )
