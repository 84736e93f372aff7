"""What can be known to be wrong with a concept before anything runs; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun import CheckScope, Fault
from studyrun_data.columns import columns_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from studyrun_data.concepts.params import Free

__all__ = ["free"]

RESERVED = ("general", "insufficient", "unknown")
"""What classifiers call a feature that stands for nothing."""


def free(params: Free, scope: CheckScope) -> Iterator[Fault]:
    """SQL that does not parse, is no yes/no property or names a column that is not there."""
    from studyrun_data.concepts.free import faults  # polars, only where a study writes SQL

    if params.kind in RESERVED:
        yield Fault(("kind",), f"{params.kind!r} is what classifiers call features without a label")
    yield from faults(params.where, columns_of(scope.steps.values()))
