"""What can be wrong with a `classify` step before anything is computed; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun import CheckScope, Fault
from studyrun_classify.ranks import faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from studyrun_classify.params import ClassifyParams

__all__ = ["check"]


def check(params: ClassifyParams, scope: CheckScope) -> Iterator[Fault]:
    """Rank ranges that are reversed, overlap, or go beyond the largest SAE before this step."""
    for index, message in faults(params.ranks, _largest_sae(scope)):
        yield Fault(("ranks", index), message)


def _largest_sae(scope: CheckScope) -> int | None:
    """The most features that an earlier SAE has; None where some SAE does not say."""
    saes = [bound.params for bound in scope.steps.values() if bound.component.makes == "sae"]
    sizes = [getattr(params, "d_sae", None) for params in saes]
    known = [size for size in sizes if isinstance(size, int)]
    return max(known) if known and len(known) == len(sizes) else None
