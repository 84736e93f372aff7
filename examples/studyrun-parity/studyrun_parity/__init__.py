"""A studyrun plugin with a concept, a classifier, an intervention, an effect and a section."""

from __future__ import annotations

from studyrun import Component, Law, Measure, NoParams, hookimpl
from studyrun_parity.params import Clamp, EvenFeatures, LiftRanked, Parity

__all__ = ["studyrun_components"]


@hookimpl
def studyrun_components() -> list[Component]:
    """`parity`, `lift-ranked`, `clamp`, `parity-of-answer` and `even-features`."""
    return [
        Component(
            kind="concept",
            name="parity",
            version="1",
            params=Parity,
            target="studyrun_parity.concept:parity",
            summary="whether the answer is even",
        ),
        Component(
            kind="classifier",
            name="lift-ranked",
            version="1",
            params=LiftRanked,
            target="studyrun_parity.classifier:lift_ranked",
            summary="labels by the largest lift; no test",
            laws=(Law("support", parameter="min_support"),),
        ),
        Component(
            kind="intervention",
            name="clamp",
            version="1",
            params=Clamp,
            target="studyrun_parity.intervention:clamp",
            summary="set features to a value",
            laws=(
                Law("idempotent"),
                Law("union"),
                Law("featurewise"),
                Law("equals", parameter="value", value=0.0, other="ablate"),
            ),
        ),
        Component(
            kind="effect",
            name="parity-of-answer",
            version="1",
            params=NoParams,
            target="studyrun_parity.effect:parity_of_answer",
            summary="whether the likeliest answer turns odd or even",
            reads=("logits",),
            measures=(
                Measure("parity_changed", "1 where the likeliest answer's parity changed, else 0"),
                Measure("parity_even_after", "1 where it is even after the edit", of="fact"),
            ),
        ),
        Component(
            kind="section",
            name="even-features",
            version="1",
            params=EvenFeatures,
            target="studyrun_parity.section:even_features",
            summary="the features that tell most of the answer's parity",
        ),
    ]
