"""From a wired step to its recipe: everything that can change the artifact, as plain JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studyrun import params
from studyrun.keys import KEY_FORMAT
from studyrun.params import COMPONENT_MARK
from studyrun.plugging.marks import rewrite

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from studyrun.contracts import Bound, Component
    from studyrun.nodes import Node
    from studyrun.registry import Registry
    from studyrun.wiring import Wiring

__all__ = ["recipe_of", "sources_of", "study_record"]


def recipe_of(
    node: Node,
    wiring: Wiring,
    registry: Registry,
    record: Mapping[str, Any],
    keys: Mapping[str, str],
) -> dict[str, Any]:
    """What a step's key is made from.

    Args:
        node: the step.
        wiring: the study around it.
        registry: resolves parameters, and asks components for the digests of their files.
        record: the study's record, which goes in where the step is given it.
        keys: of the steps that this one reads.

    Raises:
        StudyError: a file or a model that it depends on cannot be read.
    """
    recipe = {
        "format": KEY_FORMAT,
        "kind": node.bound.component.kind,
        **_resolved(node.bound, registry),
        "seed": wiring.study.seed,
    }
    outside = registry.digest(node.bound)
    if outside is not None:
        recipe["outside"] = outside
    if node.inputs:
        recipe["inputs"] = _keys(node.inputs, keys)
    if node.variants:
        recipe["variants"] = {name: _keys(given, keys) for name, given in node.variants.items()}
    if node.earlier:
        recipe["earlier"] = [[name, keys[made]] for name, made in node.earlier.items()]
    if node.model is not None:
        recipe["model"] = _model(node, node.model, registry)
        recipe["dtype"] = wiring.study.runtime.dtype
    if node.uses_study:
        recipe["study"] = record
    return recipe


def study_record(wiring: Wiring, registry: Registry) -> dict[str, Any]:
    """The study as steps that take `study` are given it: resolved, and the same on any machine.

    Every `with` holds all parameters, defaults included, and no path; of `runtime` only `dtype`
    is left, because nothing else may change a result.
    """
    record = wiring.study.plain()
    record.pop("plugins", None)
    record["runtime"] = {"dtype": wiring.study.runtime.dtype}
    if wiring.model is not None:
        record["model"] = _resolved(wiring.model, registry)
    for node in wiring.nodes:
        if node.name != node.step:
            continue
        if node.name in record["steps"]:
            record["steps"][node.name] |= _resolved(node.bound, registry)
        elif node.bound.component.kind == "data":
            record["data"] = _resolved(node.bound, registry)
    return record


def sources_of(node: Node, registry: Registry) -> dict[str, str]:
    """`<kind> <component>` -> source digest, for all code that the step calls by name."""
    found = dict.fromkeys(_components(node.bound, registry))
    if node.model is not None:
        found |= dict.fromkeys(_components(node.model, registry))
    return {f"{each.kind} {each.name}": registry.source_digest(each) for each in found}


def _keys(given: Mapping[str, str], keys: Mapping[str, str]) -> dict[str, str]:
    return {type_name: keys[name] for type_name, name in given.items()}


def _resolved(bound: Bound, registry: Registry) -> dict[str, Any]:
    component = bound.component
    return {
        "use": component.name,
        "version": component.version,
        "with": registry.canonical(bound),
    }


def _model(node: Node, bound: Bound, registry: Registry) -> dict[str, Any]:
    """What identifies a model: its component, parameters and the digest of its bytes."""
    facts = node.facts or registry.facts(bound)
    return {**_resolved(bound, registry), "digest": facts.digest}


def _components(bound: Bound, registry: Registry) -> Iterator[Component]:
    """The component, and those that its parameters name."""
    yield bound.component
    inner: list[Bound] = []

    def note(mark: dict[str, Any], value: Any) -> Any:
        if COMPONENT_MARK in mark:
            inner.append(registry.bind(mark[COMPONENT_MARK], value))
        return value

    rewrite(bound.component.params, params.to_builtins(bound.params), note)
    for each in inner:
        yield from _components(each, registry)
