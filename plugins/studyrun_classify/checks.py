"""What can be wrong with a `classify` step before anything is computed; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studyrun import CheckScope, Fault
from studyrun_classify.ranks import faults
from studyrun_classify.variants import seeds
from studyrun_data.columns import columns_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from studyrun import Ref
    from studyrun_classify.params import ClassifyParams, EnrichmentParams, ProbeParams

__all__ = ["check", "strata"]


def check(params: ClassifyParams, scope: CheckScope) -> Iterator[Fault]:
    """What no schema can say of the parameters.

    Rank ranges that are reversed, overlap, or go beyond the largest SAE before this step; strata
    that are no columns of the problems; concepts and classifiers named twice; an SAE that would be
    its own control; a swap that cannot be told from chance.
    """
    for index, message in faults(params.ranks, _largest_sae(scope)):
        yield Fault(("ranks", index), message)
    yield from strata(params, scope)
    for index in _repeated(params.concepts):
        yield Fault(("concepts", index), "these concepts stand here twice")
    for index in _repeated([params.classifier, *params.compare]):
        message = "this classifier is compared with itself; name it once, or change its parameters"
        yield Fault(("compare", index - 1), message)
    yield from _own_seed(params, scope)
    if params.swaps.moved <= params.swaps.by_chance:
        message = f"must be more than by_chance, which is {params.swaps.by_chance}"
        yield Fault(("swaps", "moved"), message)


def strata(
    params: ClassifyParams | EnrichmentParams | ProbeParams, scope: CheckScope
) -> Iterator[Fault]:
    """Strata that are no columns of the problems, as far as these are known."""
    columns = columns_of(scope.steps.values())
    for index, name in enumerate(params.strata):
        if columns is not None and name not in columns:
            yield Fault(("strata", index), f"the problems have no column {name!r}", columns)


def _largest_sae(scope: CheckScope) -> int | None:
    """The most features that an earlier SAE has; None where some SAE does not say."""
    saes = [bound.params for bound in scope.steps.values() if bound.component.makes == "sae"]
    sizes = [getattr(params, "d_sae", None) for params in saes]
    known = [size for size in sizes if isinstance(size, int)]
    return max(known) if known and len(known) == len(sizes) else None


def _repeated(refs: Sequence[Ref]) -> Iterator[int]:
    """The places of references that say what an earlier one says, in whatever form."""
    said = [_said(ref) for ref in refs]
    return (index for index, each in enumerate(said) if each in said[:index])


def _said(ref: Ref) -> tuple[str, Any]:
    """The name and the parameters of `name`, `{use: name, with: ...}` and `{name: ...}`."""
    if isinstance(ref, str):
        return ref, {}
    if "use" in ref:
        return ref["use"], ref.get("with") or {}
    ((name, given),) = ref.items()
    return name, given or {}


def _own_seed(params: ClassifyParams, scope: CheckScope) -> Iterator[Fault]:
    """An SAE with the seed of one that it is to be compared with would be found again, always."""
    for name, bound in scope.steps.items():
        own = getattr(bound.params, "seed", None)
        if bound.component.makes == "sae" and own in seeds(params).values():
            message = (
                f"step {name!r} has seed {own}, which is that of an SAE it is to be compared with; "
                "give it another, or leave its seed out"
            )
            yield Fault(("sae_seeds",), message)
