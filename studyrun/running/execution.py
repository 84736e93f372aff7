"""Calling one step's target and holding it to its contract."""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

from studyrun.artifacts import Artifact
from studyrun.context import seed_globals
from studyrun.contracts import Inputs
from studyrun.errors import PluginError
from studyrun.storing import contents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from studyrun.artifacts import Result
    from studyrun.contracts import Context
    from studyrun.plan import PlannedStep
    from studyrun.registry import Registry
    from studyrun.store import Store

__all__ = ["call", "inputs_of", "view_of"]


def view_of(registry: Registry, type_name: str) -> type[Artifact]:
    """The class that opens artifacts of a type: a plugin's, or `Artifact` itself.

    Raises:
        PluginError: what the plugin offers is no subclass of `Artifact`.
    """
    component = registry.find("artifact", type_name)
    if component is None:
        return Artifact
    view = registry.function(component, component.target)
    if not (isinstance(view, type) and issubclass(view, Artifact)):
        owner = registry.owner(component).label
        raise PluginError(owner, f"artifact {type_name!r}: {component.target} is no Artifact class")
    return view


def inputs_of(
    step: PlannedStep,
    keys: Mapping[str, str],
    record: Mapping[str, Any],
    registry: Registry,
    store: Store,
) -> Inputs:
    """What a step is given.

    Args:
        step: the step.
        keys: of the steps of its cell.
        record: the resolved study, handed over if the step takes it.
        registry: knows the typed views.
        store: holds the artifacts.
    """

    @cache
    def artifact(name: str) -> Artifact:
        manifest = store.manifest(keys[name])
        return store.open(keys[name], view_of(registry, manifest.type))

    def artifacts(names: Mapping[str, str]) -> dict[str, Artifact]:
        return {key: artifact(name) for key, name in names.items()}

    node = step.node
    return Inputs(
        by_type=artifacts(node.inputs),
        by_step=artifacts(node.earlier),
        study=record if node.uses_study else {},
        variants={name: artifacts(given) for name, given in node.variants.items()},
    )


def call(step: PlannedStep, inputs: Inputs, context: Context, registry: Registry) -> Result:
    """The target's result, known to be storable.

    Raises:
        PluginError: the target cannot be called, or returned what it must not.
        Exception: whatever the target raises.
    """
    bound = step.node.bound
    target = bound.load()
    is_data = bound.component.kind == "data"
    given = (bound.params, context) if is_data else (bound.params, inputs, context)
    _must_take(target, given, step, registry)
    seed_globals(context.seed)
    result: Result = target(*given)
    fault = contents.fault_of(result)
    if fault is not None:
        raise _blame(step, registry, fault)
    return result


def _must_take(target: Any, given: tuple[Any, ...], step: PlannedStep, registry: Registry) -> None:
    try:
        inspect.signature(target).bind(*given)
    except (TypeError, ValueError) as error:
        expected = "(params, context)" if len(given) == 2 else "(params, inputs, context)"
        raise _blame(step, registry, f"target must take {expected}: {error}") from error


def _blame(step: PlannedStep, registry: Registry, message: str) -> PluginError:
    component = step.node.bound.component
    owner = registry.owner(component).label
    return PluginError(owner, f"{component.kind} {component.name!r}: {message}")
