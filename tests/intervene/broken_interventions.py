"""A plugin of interventions that each break one law they are bound by: mutants for the laws."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from studyrun import Component, Law, NoParams, hookimpl

HERE = __name__


@dataclass(frozen=True)
class Factor:
    """A number."""

    factor: float = 1.0
    """What it is."""


def wrong_dtype(z, features, params):
    return z.double() if z.dtype == torch.float32 else z.float()


def in_place(z, features, params):
    z[:, features] = 0
    return z


def by_chance(z, features, params):
    return z + torch.rand(()) * torch.zeros_like(z).index_fill(1, features, 1)


def everything(z, features, params):
    return torch.zeros_like(z)


def centred(z, features, params):
    return z.index_copy(1, features, (z - z.mean(0))[:, features]) if len(z) else z.clone()


def counting(z, features, params):
    return z.index_add(1, features, torch.ones_like(z[:, features]))


def renormalised(z, features, params):
    edited = z.index_fill(1, features, 0)
    return edited * (z.sum(1, keepdim=True) / edited.sum(1, keepdim=True)).nan_to_num(1, 1, 1)


def one_by_one(z, features, params):
    edited = z.clone()
    for feature in features.tolist():
        edited[:, feature] = 0
    return edited


def halved(z, features, params):
    return z.index_copy(1, features, z[:, features] / 2)


def filled(z, features, params):
    return z.index_fill(1, features, 1)


def only_alone(z, features, params):
    return z.index_fill(1, features[:1], 0) if len(set(features.tolist())) == 1 else z.clone()


def averaged(z, features, params):
    return z.index_copy(1, features, z.mean(1, keepdim=True).expand_as(z[:, features]))


def shifted(z, features, params):
    return z.index_copy(1, features, z[:, features] * params.factor + 0.25)


def one_more(z, features, params):
    return z.index_copy(1, features, z[:, features] * (params.factor + 1))


def copied(z, features, params):
    return z.index_copy(1, features, z[:, features[:1]].expand(-1, 2))


def added(z, features, params, reference):
    return z.index_copy(1, features, z[:, features] + reference[:, features])


def failing(z, features, params):
    return z.index_fill(1, features[0], 0)


MUTANTS = {
    "shape-and-dtype": (wrong_dtype, Law("shape-and-dtype")),
    "input-unchanged": (in_place, Law("input-unchanged")),
    "repeatable": (by_chance, Law("repeatable")),
    "others-untouched": (everything, Law("others-untouched")),
    "rows-independent": (centred, Law("rows-independent")),
    "features-are-a-set": (counting, Law("features-are-a-set")),
    "reconstruction-difference": (renormalised, Law("reconstruction-difference")),
    "devices": (one_by_one, Law("devices")),
    "idempotent": (halved, Law("idempotent")),
    "inactive-unchanged": (filled, Law("inactive-unchanged")),
    "union": (only_alone, Law("union")),
    "featurewise": (averaged, Law("featurewise")),
    "identity-at": (shifted, Law("identity-at", parameter="factor", value=1.0)),
    "equals": (shifted, Law("equals", parameter="factor", value=0.0, other="ablate")),
    "multiplicative": (one_more, Law("multiplicative", parameter="factor")),
    "involution": (copied, Law("involution")),
    "symmetric": (copied, Law("symmetric")),
}
"""By the law that each breaks."""
PAIRS = ("involution", "symmetric")


@hookimpl
def studyrun_components():
    """One per law, `breaks-<law>`, one that fails on the empty set, one that takes a reference."""
    for law, (function, declared) in MUTANTS.items():
        yield _component(f"breaks-{law}", function, declared, 2 if law in PAIRS else 1)
    yield _component("fails-on-nothing", failing, Law("idempotent"), 1)
    yield _component("adds-reference", added, Law("idempotent"), 1, reference="mean")


def _component(name, function, law, arity, **more):
    return Component(
        kind="intervention",
        name=name,
        version="1",
        params=Factor if law.parameter else NoParams,
        target=f"{HERE}:{function.__name__}",
        laws=(law,),
        arity=arity,
        **more,
    )
