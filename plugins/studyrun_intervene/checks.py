"""Faults of the editing steps that show before anything runs; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from studyrun import CheckScope, Fault
from studyrun_intervene.columns import effect_name
from studyrun_intervene.measures import MEASURES
from studyrun_intervene.params import EditFeatures, EditPairs, FeatureChoice, Patch, Steer

__all__ = ["check_features", "check_pairs", "check_patch", "check_steer"]

CHOICES = ("top", "ranks", "ids", "sets")


def check_features(params: EditFeatures, scope: CheckScope) -> Iterator[Fault]:
    """A choice of features that says nothing, too much, or what the SAE does not have."""
    yield from _repeated(params.effects)
    yield from _without_model(params.effects, scope)
    if isinstance(params.features, FeatureChoice):
        yield from _choice(params.features, _d_sae(scope))


def check_pairs(params: EditPairs, scope: CheckScope) -> Iterator[Fault]:
    """Pairs of one feature, and features that the SAE does not have."""
    yield from _repeated(params.effects)
    yield from _without_model(params.effects, scope)
    if params.pairs == "auto":
        return
    for index, pair in enumerate(params.pairs):
        if pair[0] == pair[1]:
            yield Fault(("pairs", index), f"feature {pair[0]} is paired with itself")
        numbers = [-1 if isinstance(each, str) else each for each in pair]
        yield from _unknown(("pairs", index), numbers, _d_sae(scope))


def check_patch(params: Patch, scope: CheckScope) -> Iterator[Fault]:
    """Traits on both sides, effects that have no part in it, sites that are not extracted."""
    yield from _repeated(params.effects)
    yield from _without_sae(params.effects)
    for index, trait in enumerate(params.differ):
        if trait in params.same:
            yield Fault(("differ", index), f"{trait!r} is also what shall be the same")
    acts = [s.params for s in scope.steps.values() if s.component.makes == "activations"]
    if len(acts) != 1:
        return
    for name in ("layers", "positions"):
        there = getattr(acts[0], name, None)
        for index, each in enumerate(getattr(params, name) or ()):
            if isinstance(there, list) and each not in there:
                said = tuple(map(str, there))
                message = f"{name[:-1]} {each!r} is not extracted"
                yield Fault((name, index), message, said)


def check_steer(params: Steer, scope: CheckScope) -> Iterator[Fault]:
    """No direction, or features that the SAE does not have."""
    yield from _repeated(params.effects)
    yield from _without_sae(params.effects)
    if params.features is None and not params.where:
        yield Fault((), "say in which direction, with `features` or `where`")
    if params.features is not None:
        yield from _choice(params.features, _d_sae(scope))


def _without_sae(effects: Sequence[str | dict[str, Any]]) -> Iterator[Fault]:
    for index, name in enumerate(map(effect_name, effects)):
        if name == "reconstruction":
            yield Fault(("effects", index), "no SAE has a part in this edit; its reconstruction "
                        "is not changed")  # fmt: skip


def _without_model(effects: Sequence[str | dict[str, Any]], scope: CheckScope) -> Iterator[Fault]:
    for index, name in enumerate(map(effect_name, effects)):
        if scope.no_model and name in MEASURES:
            message = (
                f"{name!r} is read of edited runs of the model, and the study has no 'model' "
                f"section; effects: [reconstruction] needs none"
            )
            yield Fault(("effects", index), message)


def _choice(choice: FeatureChoice, d_sae: int | None) -> Iterator[Fault]:
    given = [name for name in CHOICES if getattr(choice, name) is not None]
    if len(given) != 1:
        said = " and ".join(given) or "nothing"
        message = f"say one of {', '.join(CHOICES)} (this says {said})"
        yield Fault(("features",), message)
    for index, text in enumerate(choice.ranks or ()):
        first, last = map(int, text.split("-"))
        if first > last:
            yield Fault(("features", "ranks", index), f"{text} is empty; write {last}-{first}")
        if d_sae is not None and last > d_sae:
            yield Fault(("features", "ranks", index), f"the last of {d_sae} ranks is {d_sae}")
    if d_sae is not None and choice.top is not None and choice.top > d_sae:
        yield Fault(("features", "top"), f"the SAE has {d_sae} features")
    yield from _unknown(("features", "ids"), choice.ids or (), d_sae)
    for index, each in enumerate(choice.sets or ()):
        yield from _unknown(("features", "sets", index), each, d_sae)


def _unknown(
    path: tuple[str | int, ...], features: Sequence[int], d_sae: int | None
) -> Iterator[Fault]:
    for index, feature in enumerate(features):
        if d_sae is not None and feature >= d_sae:
            message = f"the SAE has no feature {feature}; it has 0..{d_sae - 1}"
            yield Fault((*path, index), message)


def _repeated(effects: Sequence[str | dict[str, Any]]) -> Iterator[Fault]:
    names = [effect_name(each) for each in effects]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Fault(("effects", index), f"{name!r} stands here twice")


def _d_sae(scope: CheckScope) -> int | None:
    """The number of features, if the study has one SAE and says how wide it is."""
    makers = [step for step in scope.steps.values() if step.component.makes == "sae"]
    return getattr(makers[0].params, "d_sae", None) if len(makers) == 1 else None
