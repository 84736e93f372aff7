"""Variants: the steps that another one wants once more with something changed, as nodes.

A node is reached by a variant that replaces parameters of its own or of its model, or if one that
it reads is reached. What is reached is cloned (`sae@seed-1`), everything else is shared.
"""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from studyrun import params
from studyrun.contracts import Absent, CheckScope
from studyrun.errors import PluginError, StudyError
from studyrun.faults.findings import Finding
from studyrun.keys import digest
from studyrun.nodes import above, scope_of
from studyrun.reading.keywords import VARIANT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from studyrun.contracts import Bound, ModelFacts, Variant
    from studyrun.nodes import Node
    from studyrun.registry import Registry

    AskFacts = Callable[[Bound], ModelFacts | None]

__all__ = ["with_variants"]


def with_variants(
    nodes: Sequence[Node], registry: Registry, folder: Path, facts: AskFacts
) -> tuple[tuple[Node, ...], list[Finding]]:
    """The nodes, each after the clones that it is compared with; and what cannot be changed so.

    Args:
        nodes: of a study, in an order in which they can run.
        registry: asks their components what they want, and binds what is changed.
        folder: the study's, which relative paths are relative to.
        facts: says what is known of a model, None if that is nothing; may raise StudyError.
    """
    cloner = _Cloner(registry, folder, facts)
    for node in nodes:
        cloner.add(node)
    return tuple(cloner.nodes.values()), cloner.faults


class _Cloner:
    def __init__(self, registry: Registry, folder: Path, facts: AskFacts) -> None:
        self.registry, self.folder, self.facts = registry, folder, facts
        self.nodes: dict[str, Node] = {}
        """By name, in an order in which they can run."""
        self.faults: list[Finding] = []
        self.changes: dict[str, str] = {}
        """What a clone's name says after the `@` -> the digest of what is changed."""

    def add(self, node: Node) -> None:
        """Put a node of the study after the clones that it asks for."""
        given = {}
        for variant in self._wanted(node):
            try:
                given[variant.name] = self._inputs(node, variant)
            except StudyError as error:
                self._refuse(node, error, f"asks for the variant {variant.name!r}: ")
        self.nodes[node.name] = replace(node, variants=given) if given else node

    def _wanted(self, node: Node) -> tuple[Variant, ...]:
        try:
            return self.registry.variants(node.bound)
        except StudyError as error:
            self._refuse(node, error)
            return ()

    def _refuse(self, node: Node, error: StudyError, asked: str = "") -> None:
        code = "plugin" if isinstance(error, PluginError) else "wiring"
        self.faults.append(Finding(("steps", node.name, "use"), f"{asked}{error}", code))

    def _inputs(self, asker: Node, variant: Variant) -> dict[str, str]:
        """Artifact type -> the node that makes it in the variant, for all that the asker takes."""
        label, clones = self._label(variant), dict[str, str]()
        for node in above(asker.inputs.values(), self.nodes):
            clone = self._clone(node, variant, label, clones)
            if clone is not None:
                clones[node.name] = clone.name
        if not clones and (variant.model or any(variant.steps.values())):
            raise StudyError(f"nothing that it takes {_aim(variant)}")
        return _instead(clones, asker.inputs)

    def _label(self, variant: Variant) -> str:
        """The variant's name, with a number if another step means something else by it."""
        change = digest([variant.model, variant.steps])
        names = chain([variant.name], (f"{variant.name}-{number}" for number in count(2)))
        return next(name for name in names if self.changes.setdefault(name, change) == change)

    def _clone(
        self, node: Node, variant: Variant, label: str, clones: Mapping[str, str]
    ) -> Node | None:
        """The node in the variant, made if no step has asked for it yet; None if not reached."""
        name = f"{node.name}{VARIANT}{label}"
        own = variant.steps.get(node.bound.component.makes, {})
        model = variant.model if node.model else {}
        if name not in self.nodes and (own or model or not clones.keys().isdisjoint(node.reads)):
            clone = self._changed(node, own, model)
            clone = replace(
                clone,
                name=name,
                inputs=_instead(clones, node.inputs),
                earlier=_instead(clones, node.earlier),
                variants={key: _instead(clones, each) for key, each in node.variants.items()},
            )
            self._check(clone)
            self.nodes[name] = clone
        return self.nodes.get(name)

    def _changed(self, node: Node, own: Mapping[str, Any], model: Mapping[str, Any]) -> Node:
        if own:
            bound = self._bind(node.bound, own, f"step {node.step!r} ({node.bound.component.name})")
            node = replace(node, bound=bound)
        if model and node.model:
            what = f"model {node.model.component.name!r}"
            bound = self._bind(node.model, model, what)
            self._ask(bound, CheckScope(), what)
            node = replace(node, model=bound, facts=self.facts(bound))
        return node

    def _bind(self, bound: Bound, changed: Mapping[str, Any], what: str) -> Bound:
        component = bound.component
        missing = sorted(changed.keys() - {field.name for field in fields(component.params)})
        if missing:
            raise StudyError(
                f"{what} has no parameter {missing[0]!r}; "
                f"go without that variant, or use a {component.kind} that has it"
            )
        ref = {"use": component.name, "with": {**params.to_builtins(bound.params), **changed}}
        return self.registry.bind(component.kind, ref, self.folder)

    def _check(self, clone: Node) -> None:
        """Nothing, if the step is as sound in the variant as it is in the study."""
        self._ask(clone.bound, scope_of(clone, self.nodes), f"step {clone.step!r}")

    def _ask(self, bound: Bound, scope: CheckScope, what: str) -> None:
        for fault in self.registry.check(bound, scope):
            if isinstance(fault, Absent):  # then it is so in the study as well, and told there
                continue
            path = ".".join(map(str, fault.path))
            raise StudyError(f"{what} would be wrong in its {path}: {fault.message}")


def _aim(variant: Variant) -> str:
    aims = ["is made with the model"] if variant.model else []
    return " or ".join([*aims, *(f"comes from a {name!r}" for name in variant.steps)])


def _instead(clones: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    return {key: clones.get(name, name) for key, name in names.items()}
