"""Faults of the editing steps that show before anything runs; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from studyrun import CheckScope, Fault
from studyrun_intervene.params import EditFeatures, EditPairs, FeatureChoice

__all__ = ["check_features", "check_pairs"]


def check_features(params: EditFeatures, scope: CheckScope) -> Iterator[Fault]:
    """A choice of features that says nothing, too much, or what the SAE does not have."""
    yield from _repeated(params.effects)
    if isinstance(params.features, FeatureChoice):
        yield from _choice(params.features, _d_sae(scope))


def check_pairs(params: EditPairs, scope: CheckScope) -> Iterator[Fault]:
    """Pairs of one feature, and features that the SAE does not have."""
    yield from _repeated(params.effects)
    if params.pairs == "auto":
        return
    for index, pair in enumerate(params.pairs):
        if pair[0] == pair[1]:
            yield Fault(("pairs", index), f"feature {pair[0]} is paired with itself")
        yield from _unknown(("pairs", index), pair, _d_sae(scope))


def _choice(choice: FeatureChoice, d_sae: int | None) -> Iterator[Fault]:
    given = [name for name in ("top", "ranks", "ids") if getattr(choice, name) is not None]
    if len(given) != 1:
        said = " and ".join(given) or "nothing"
        message = f"say one of top, ranks and ids (this says {said})"
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


def _unknown(
    path: tuple[str | int, ...], features: Sequence[int], d_sae: int | None
) -> Iterator[Fault]:
    for index, feature in enumerate(features):
        if d_sae is not None and feature >= d_sae:
            message = f"the SAE has no feature {feature}; it has 0..{d_sae - 1}"
            yield Fault((*path, index), message)


def _repeated(effects: Sequence[str | dict[str, Any]]) -> Iterator[Fault]:
    names = [each if isinstance(each, str) else each.get("use") for each in effects]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Fault(("effects", index), f"{name!r} stands here twice")


def _d_sae(scope: CheckScope) -> int | None:
    """The number of features, if the study has one SAE and says how wide it is."""
    makers = [step for step in scope.steps.values() if step.component.makes == "sae"]
    return getattr(makers[0].params, "d_sae", None) if len(makers) == 1 else None
