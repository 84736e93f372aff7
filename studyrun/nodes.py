"""The nodes of a wired study: each one artifact to be made, from what and with which model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from studyrun.contracts import CheckScope
from studyrun.reading.keywords import VARIANT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from studyrun.contracts import Bound, ModelFacts

__all__ = ["Node", "above", "scope_of"]

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
    wanted_by: str = ""
    """The step that shows it, for one that the study does not write."""

    @property
    def step(self) -> str:
        """The study's step that it is, or is a variant of."""
        return self.name.partition(VARIANT)[0]

    @property
    def reads(self) -> tuple[str, ...]:
        """The nodes that it needs, each once."""
        compared = (name for given in self.variants.values() for name in given.values())
        return tuple(dict.fromkeys([*self.inputs.values(), *self.earlier.values(), *compared]))


def above(names: Iterable[str], nodes: Mapping[str, Node]) -> list[Node]:
    """The nodes of those names and all that they need, in the order of `nodes`.

    Args:
        names: of some of the nodes.
        nodes: by name, in an order in which they can run.
    """
    wanted = set(names)
    for node in reversed([*nodes.values()]):
        if node.name in wanted:
            wanted.update(node.reads)
    return [node for node in nodes.values() if node.name in wanted]


def scope_of(node: Node, nodes: Mapping[str, Node]) -> CheckScope:
    """The study around a node, as its component may look at it.

    Args:
        node: one of them.
        nodes: by name, in an order in which they can run.
    """
    earlier = above(node.reads, nodes)
    facts = next((each.facts for each in (node, *earlier) if each.facts), None)
    steps: dict[str, Bound] = {}
    for each in earlier:
        steps.setdefault(each.step, each.bound)  # a step stands before its own variants
    inputs = {made: nodes[name].step for made, name in node.inputs.items()}
    return CheckScope(facts, steps, inputs)
