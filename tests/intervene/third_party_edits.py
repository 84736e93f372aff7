"""A third party's intervention, effects and labels: some good, some that break their contract."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import torch

from studyrun import (
    Classification,
    Component,
    Law,
    Measure,
    Measurement,
    NoParams,
    Reading,
    hookimpl,
)


@dataclass(frozen=True)
class Clamp:
    """Parameters of clamp."""

    most: float
    """No activation of the features is larger."""


@dataclass(frozen=True)
class Told:
    """Parameters of told."""

    concepts: dict[str, int]
    """Concept -> the feature that is labelled with it; the others have no label."""


def clamp(z, features, params):
    return z.index_copy(1, features, z[:, features].clamp(max=params.most))


# Effects outside the model


def counted(case, params, context):
    moved = [
        int((case.intervene(case.z, torch.tensor(edit)) != case.z).any(1).sum())
        for edit in case.edits
    ]
    evidence = pl.DataFrame({"edit": range(len(moved)), "touched": moved})
    return Measurement(pl.DataFrame({"touched": moved}), {"detail": evidence})


def short(case, params, context):
    return Measurement(pl.DataFrame({"a": [1.0]}))


def taken(case, params, context):
    return Measurement(pl.DataFrame({"rank": [1.0] * len(case.edits)}))


# Effects that read runs


def entropies(runs, asked, params):
    after, before = (_entropy(scores) for scores in (runs.logits, runs.clean_logits))
    best = [asked.token(number) for number in runs.logits.argmax(1).tolist()]
    return Reading({"entropy_change": after - before, "entropy": after}, {"best": best})


def _entropy(scores):
    log_p = scores.double().log_softmax(1)
    return -(log_p.exp() * log_p).sum(1)


def silent(runs, asked, params):
    return Reading({})


def ranked(runs, asked, params):
    return Reading({"n_active": torch.zeros(len(runs.index))})


# Labels


def told(evidence, params):
    """Labels as they are told, all of them operations."""
    known = {feature: concept for concept, feature in params.concepts.items()}
    features = evidence.features["feature"]
    named = features.replace_strict(known, default=None, return_dtype=pl.String)
    labels = evidence.features.select("feature").with_columns(
        concept=named,
        label=named.fill_null("general"),
        kind=pl.Series(["general" if each is None else "operation" for each in named]),
        verdict=pl.lit("untested"),
    )
    return Classification(labels, pl.DataFrame())


ENTROPY = (
    Measure("entropy_change", "change of the first token's entropy, in nats"),
    Measure("entropy", "entropy of the first token, in nats", of="fact"),
)


@hookimpl
def studyrun_components():
    yield Component(
        "intervention", "clamp-most", "1", Clamp, f"{__name__}:clamp", laws=(Law("idempotent"),)
    )
    yield Component("classifier", "told", "1", Told, f"{__name__}:told")
    for effect in (counted, short, taken):
        yield Component("effect", effect.__name__, "1", NoParams, f"{__name__}:{effect.__name__}")
    for effect, measures in (
        (entropies, ENTROPY),
        (silent, (Measure("said", ""),)),
        (ranked, (Measure("n_active", ""),)),
    ):
        yield Component(
            "effect",
            effect.__name__,
            "1",
            NoParams,
            f"{__name__}:{effect.__name__}",
            reads=("logits",),
            measures=measures,
        )
