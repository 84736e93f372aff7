"""Making what is not stored: a step is given its inputs and its context, its result is kept."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from studyrun.artifacts import Manifest
from studyrun.context import Errand, StepContext, Warm
from studyrun.errors import ArtifactDamaged, PluginError, StepFailed, StudyError
from studyrun.keys import digest
from studyrun.running.execution import call, inputs_of
from studyrun.running.machine import Memory
from studyrun.storing.files import writing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from studyrun.artifacts import Result
    from studyrun.contracts import Inputs
    from studyrun.plan import Plan, PlannedStep
    from studyrun.registry import Registry
    from studyrun.running.options import Options
    from studyrun.running.progress import Progress
    from studyrun.running.record import Record
    from studyrun.store import Store

__all__ = ["Maker", "Tell", "damage_behind", "label_of", "model_identity"]


class Tell(Protocol):
    """Records an event, of the run or of a step."""

    def __call__(self, event: str, step: PlannedStep | None = None, **facts: Any) -> None:
        """Record that it happened."""


@dataclass(slots=True, eq=False)
class Maker:
    """Makes steps on behalf of one run; whoever asks it to holds their keys' locks."""

    plan: Plan
    registry: Registry
    store: Store
    record: Record
    options: Options
    tell: Tell
    warm: Warm = field(default_factory=Warm)
    memory: Memory = field(default_factory=Memory)
    keys: dict[str, dict[str, str]] = field(init=False)
    """Cell -> step -> key."""

    def __post_init__(self) -> None:
        self.keys = {cell: {} for cell in self.plan.cells}
        for step in self.plan.steps:
            self.keys[step.cell][step.name] = step.key

    def make(self, step: PlannedStep, reasons: Sequence[str]) -> None:
        """Call the step's target, and store and record what it returns.

        Raises:
            StudyError: it failed, and the message names the place; or a disk refused.
        """
        self.started(step, reasons)
        self.memory.reset()
        start = time.monotonic()
        self.keep(step, self._call(step))
        seconds = round(time.monotonic() - start, 3)
        self.record.step(step, status="done", seconds=seconds, peak_memory=self.memory.peak())
        self.finished(step, seconds)

    # Its parts, of which steps that are made together need some

    def started(self, step: PlannedStep, reasons: Sequence[str], **facts: Any) -> None:
        """Say that the step is about to be computed, and why."""
        self.record.step(step, status="running", action="run", reasons=[*reasons])
        self.tell("step-started", step, **_what(step), reasons=[*reasons], **facts)

    def inputs(self, step: PlannedStep) -> Inputs:
        """What the step is given."""
        record = self.plan.records[step.cell]
        return inputs_of(step, self.keys[step.cell], record, self.registry, self.store)

    def context(self, step: PlannedStep, progress: Progress | None = None) -> StepContext:
        """The step's surroundings; with other bars than the run's, if some are given."""
        errand = Errand(
            tell=lambda message: self.tell("note", step, message=message),
            scratch=lambda: self.store.scratch(step.key),
            model=step.node.model,
            model_identity=model_identity(step),
            partial=lambda: self.store.partial(step.key, digest(dict(step.sources))[:16]),
        )
        wiring = self.plan.cells[step.cell]
        return StepContext(
            wiring, self.registry, self.warm, progress or self.options.progress, errand
        )

    def keep(self, step: PlannedStep, result: Result) -> None:
        """Store the result; finished pieces of it have had their use."""
        made = step.node.bound.component.makes
        self.store.put(Manifest(step.key, made, step.component, {}, {}, dict(step.sources)), result)
        self.store.clear_partial(step.key)

    def finished(self, step: PlannedStep, seconds: float, **facts: Any) -> None:
        """Say that the step's artifact is stored."""
        self.tell("step-finished", step, **_what(step), seconds=seconds, **facts)

    def at_fault(self, step: PlannedStep, error: PluginError) -> PluginError:
        """The error with the place at which the plugin broke its contract."""
        where = [f"  step: {label_of(step)}", *self._places(step, error)]
        return PluginError(error.plugin, "\n".join([error.message, *where]))

    def traceback(self, step: PlannedStep, error: BaseException, *more: str) -> str:
        """Write the traceback into the run's folder; the name of the file."""
        name = "-".join(filter(None, [step.cell, step.name, *more]))
        file = self.record.folder / "errors" / f"{name}.txt"
        with writing(self.record.folder):
            file.parent.mkdir(exist_ok=True)
            file.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        return str(file)

    # Helpers

    def _call(self, step: PlannedStep) -> Result:
        """The target's result; whatever it raises becomes a StudyError that names the place."""
        try:
            return call(step, self.inputs(step), self.context(step), self.registry)
        except PluginError as error:
            raise self.at_fault(step, error) from error
        except (Exception, SystemExit) as error:  # a plugin's code: it may raise anything
            damage = damage_behind(error)
            if damage is not None:
                raise damage from error
            raise StepFailed(label_of(step), self._post_mortem(step, error)) from error
        finally:
            self.store.clear_scratch(step.key)

    def _post_mortem(self, step: PlannedStep, error: BaseException) -> str:
        """What failed, whose it is, where it stands in the study, and where the traceback is."""
        owner = self.registry.owner(step.node.bound.component).label
        said = str(error) if isinstance(error, StudyError) else f"{type(error).__name__}: {error}"
        whose = f"  component: {step.component}, of plugin {owner}"
        return "\n".join([said, whose, *self._places(step, error)])

    def _places(self, step: PlannedStep, error: BaseException) -> list[str]:
        """A line each: where the step stands in the study, and where the traceback is."""
        file = self.traceback(step, error)
        place = self.options.lines.get(step.node.step)
        return [*([f"  study: {place}"] if place else []), f"  traceback: {file}"]


def label_of(step: PlannedStep) -> str:
    """`k=4/sums`; the step alone where there is no matrix."""
    return "/".join(filter(None, [step.cell, step.name]))


def model_identity(step: PlannedStep) -> str:
    """What tells the step's model from others; empty if it takes none."""
    model = step.recipe.get("model")
    return digest([model, step.recipe["dtype"]]) if model else ""


def damage_behind(error: BaseException | None) -> ArtifactDamaged | None:
    """The damaged artifact that an exception goes back to, if it does."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, ArtifactDamaged):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _what(step: PlannedStep) -> dict[str, str]:
    return {"component": step.component, "key": step.key}
