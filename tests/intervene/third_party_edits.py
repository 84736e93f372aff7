"""A third party's intervention and effects, one good and two that break their contract."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import torch

from studyrun import Component, Law, Measurement, NoParams, hookimpl


@dataclass(frozen=True)
class Clamp:
    """Parameters of clamp."""

    most: float
    """No activation of the features is larger."""


def clamp(z, features, params):
    return z.index_copy(1, features, z[:, features].clamp(max=params.most))


def counted(case, params, context):
    moved = [
        int((case.intervene(case.z, torch.tensor(edit)) != case.z).any(1).sum())
        for edit in case.edits
    ]
    evidence = pl.DataFrame({"edit": range(len(moved)), "moved": moved})
    return Measurement(pl.DataFrame({"moved": moved}), {"detail": evidence})


def short(case, params, context):
    return Measurement(pl.DataFrame({"a": [1.0]}))


def taken(case, params, context):
    return Measurement(pl.DataFrame({"rank": [1.0] * len(case.edits)}))


@hookimpl
def studyrun_components():
    yield Component(
        "intervention", "clamp-most", "1", Clamp, f"{__name__}:clamp", laws=(Law("idempotent"),)
    )
    for effect in (counted, short, taken):
        yield Component("effect", effect.__name__, "1", NoParams, f"{__name__}:{effect.__name__}")
