"""Calling a step's target, or what computes many steps at once, and holding it to its contract."""

from __future__ import annotations

import inspect
from collections.abc import Generator, Iterable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from studyrun.artifacts import Artifact
from studyrun.context import seed_globals
from studyrun.contracts import Inputs
from studyrun.errors import PluginError
from studyrun.storing import contents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from studyrun.artifacts import Result
    from studyrun.contracts import Context, Job
    from studyrun.plan import PlannedStep
    from studyrun.registry import Registry
    from studyrun.store import Store

__all__ = ["ManyFailed", "call", "call_many", "inputs_of", "view_of"]

END = object()
FORMS = {1: "(jobs)", 2: "(params, context)", 3: "(params, inputs, context)"}
"""What is called with so many arguments, in words."""


class ManyFailed(Exception):  # noqa: N818  # never leaves the runner
    """What a component's `many` raised, told from what it did to its contract."""

    def __init__(self, cause: BaseException) -> None:
        self.cause = cause
        super().__init__(str(cause))


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


def call_many(
    step: PlannedStep, jobs: Sequence[Job], registry: Registry
) -> Generator[tuple[int, Result], None, None]:
    """The results of several jobs, each with its job's number and known to be storable.

    Args:
        step: that of the first job.
        jobs: of its component.
        registry: knows the component's `many`.

    Raises:
        PluginError: `many` cannot be called, or gave what it must not.
        ManyFailed: it raised.
    """
    component = step.node.bound.component
    many = registry.function(component, component.many)
    _must_take(many, (jobs,), step, registry)
    seed_globals(jobs[0].context.seed)
    found = _attempt(many, jobs)
    if not isinstance(found, Iterable):
        fault = f"many returned {type(found).__name__}, not pairs of a number and a Result"
        raise _blame(step, registry, fault)
    try:
        yield from _held_to_contract(_attempt(iter, found), jobs, partial(_blame, step, registry))
    finally:
        if isinstance(found, Generator):
            found.close()


def _held_to_contract(
    pairs: Iterator[Any], jobs: Sequence[Job], blame: Callable[[str], PluginError]
) -> Iterator[tuple[int, Result]]:
    left = set(range(len(jobs)))
    while (pair := _attempt(next, pairs, END)) is not END:
        if not (isinstance(pair, tuple) and len(pair) == 2 and type(pair[0]) is int):
            raise blame(f"many gave {type(pair).__name__}, not a pair of a number and a Result")
        number, result = pair
        if number not in left:
            again = "again" if 0 <= number < len(jobs) else f"of {len(jobs)}"
            raise blame(f"many gave job {number} {again}")
        fault = contents.fault_of(result)
        if fault is not None:
            raise blame(f"many, job {number}: {fault}")
        left.remove(number)
        yield number, result


def _attempt(function: Callable[..., Any], *given: Any) -> Any:
    try:
        return function(*given)
    except (Exception, SystemExit) as error:  # a plugin's code: it may raise anything
        raise ManyFailed(error) from error


def _must_take(target: Any, given: tuple[Any, ...], step: PlannedStep, registry: Registry) -> None:
    try:
        inspect.signature(target).bind(*given)
    except (TypeError, ValueError) as error:
        what = "many" if len(given) == 1 else "target"
        raise _blame(step, registry, f"{what} must take {FORMS[len(given)]}: {error}") from error


def _blame(step: PlannedStep, registry: Registry, message: str) -> PluginError:
    component = step.node.bound.component
    owner = registry.owner(component).label
    return PluginError(owner, f"{component.kind} {component.name!r}: {message}")
