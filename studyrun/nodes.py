"""The nodes of a wired study: each one artifact to be made, from what and with which model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from studyrun.reading.keywords import VARIANT

if TYPE_CHECKING:
    from studyrun.contracts import Bound, ModelFacts

__all__ = ["Node"]

Names = Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One artifact to be made."""

    name: str
    """The step's name, `data` or `verdicts`; `sae@seed-1` for a step in a variant."""
    bound: Bound
    inputs: Names
    """Artifact type -> the node that makes it."""
    earlier: Names = field(default_factory=dict)
    """Node by the name under which it is given: every one before a step that takes `*`; for the
    verdicts, those whose tables the hypotheses read."""
    variants: Mapping[str, Names] = field(default_factory=dict)
    """Variant -> artifact type -> the node that makes it."""
    model: Bound | None = None
    """The model that it is given; None if it takes none."""
    facts: ModelFacts | None = None
    """Of that model."""
    uses_study: bool = False

    @property
    def step(self) -> str:
        """The study's step that it is, or is a variant of."""
        return self.name.partition(VARIANT)[0]

    @property
    def reads(self) -> tuple[str, ...]:
        """The nodes that it needs, each once."""
        compared = (name for given in self.variants.values() for name in given.values())
        return tuple(dict.fromkeys([*self.inputs.values(), *self.earlier.values(), *compared]))
