"""Executes a plan: reuses what is stored, makes the rest, and records what happened."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from studyrun.errors import ArtifactDamaged, StepFailed, StudyError
from studyrun.running.events import Events
from studyrun.running.exports import Exports
from studyrun.running.history import EVENTS
from studyrun.running.index import Index
from studyrun.running.making import Maker, damage_behind, label_of, model_identity
from studyrun.running.options import Options
from studyrun.running.record import Origin, Record, new_folder
from studyrun.running.together import Together
from studyrun.runs import Run
from studyrun.storing.files import writing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from studyrun.plan import Plan, PlannedStep
    from studyrun.registry import Registry
    from studyrun.store import Store

__all__ = ["Options", "Outcome", "execute"]

Status = Literal["done", "failed"]
ATTEMPTS = 4
"""How often a step is tried while damaged inputs are found and made again."""
MEANWHILE = ("made by another run meanwhile",)
PATIENCE = 0.5
"""Seconds that anybody waits: another run that starts may be sweeping up after a killed one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended; everything else is in its folder."""

    folder: Path
    status: Status
    errors: tuple[StudyError, ...] = ()
    """Of the steps that failed, in order; without `keep_going` at most one."""

    @property
    def exit_code(self) -> int:
        """0, or that of the first error."""
        return self.errors[0].exit_code if self.errors else 0


def execute(
    plan: Plan, registry: Registry, store: Store, runs: Path, options: Options | None = None
) -> Outcome:
    """Run a plan.

    Args:
        plan: made just now; what is stored is looked at again before every step.
        registry: the one that the plan was made with.
        store: where artifacts are.
        runs: the folder of the study's runs, `<out>/<study>/`; the run gets a folder in it.
        options: how to run.

    Returns:
        How it ended. A failed step is recorded here and not raised.

    Raises:
        StudyError: the run cannot be recorded: no space, or no permission.
        KeyboardInterrupt: as it came; the record says `interrupted`.
    """
    # Before torch is imported: on a busy machine, threads that spin at barriers took 10 x as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return _Runner(plan, registry, store, runs, options or Options()).run()


class _Runner:
    def __init__(
        self, plan: Plan, registry: Registry, store: Store, runs: Path, options: Options
    ) -> None:
        self.plan, self.registry, self.store, self.options = plan, registry, store, options
        self.folder = new_folder(runs)
        self.events = Events(self.folder / EVENTS, registry.emit, options.progress.show)
        self.record = Record(
            self.folder, plan, registry, Origin(options.study_file, options.command, options.rerun)
        )
        self.exports = {cell: Exports(self.folder / cell) for cell in plan.cells}
        self.maker = Maker(plan, registry, store, self.record, options, self.tell)
        self.together = Together(self.maker, self._may_run, self._why)
        self.users = Counter(map(model_identity, plan.steps))
        """Model -> how many steps to come may need it."""
        self.lost: dict[tuple[str, str], str] = {}
        """(cell, step) -> why it will not be there."""
        self.failed: dict[str, str] = {}
        """key -> the step that tried to make it."""
        self.damaged: set[str] = set()
        """Keys of what was found damaged."""
        self.errors: list[StudyError] = []

    # The run

    def run(self) -> Outcome:
        self.store.sweep()
        self.tell("run-started", study=self.plan.study, run=self.folder.name)
        for warning in self.plan.warnings:
            self.tell("warning", message=warning)
        try:
            self._all_steps()
            self._index()
        except KeyboardInterrupt:
            self._finish("interrupted")
            raise
        except BaseException:
            with suppress(StudyError):  # what is in flight says more
                self._finish("failed")
            raise
        status: Status = "failed" if self.errors else "done"
        self._finish(status)
        return Outcome(self.folder, status, tuple(self.errors))

    def _all_steps(self) -> None:
        """Those that are known to be impossible first, so that nothing is computed in vain."""
        for step in sorted(self.plan.steps, key=lambda step: step.action != "blocked"):
            if self.errors and not self.options.keep_going:
                return
            self._one_step(step)
            self._let_go(model_identity(step))

    def _index(self) -> None:
        """Show the cells of a matrix side by side; where that fails, the run is as good."""
        run = Run(self.folder, self.record.data, self.registry)
        try:
            index = Index.of(run, self.registry, self.store)
            if index is not None:
                wait = max(self.options.wait, PATIENCE)
                self.record.data["index"] = index.show(wait, self._note)
        except StudyError as error:
            self.tell("warning", message=f"there is no page over all cells: {error}")

    def _note(self, message: str) -> None:
        self.tell("note", message=message)

    def _finish(self, status: str) -> None:
        for step in self.together.ahead:  # the run ends before its turn
            with suppress(StudyError):  # it is stored, and what is wrong is told by the next run
                self._show(step)
        error = str(self.errors[0]) if self.errors else None
        try:
            seconds = self.record.finish(status, self.events.warnings, error)
            self._show_again()
            self.tell("run-finished", status=status, seconds=seconds)
        except StudyError:
            if not self.errors:
                raise

    def _show_again(self) -> None:
        """Show the reports once more, now that the record says how the run ended."""
        for exports in self.exports.values():
            try:
                exports.show_again()
            except StudyError as error:  # they stand there as they were shown first
                self.tell("warning", message=str(error))
        self.record.warn(self.events.warnings)

    def tell(self, event: str, step: PlannedStep | None = None, **facts: Any) -> None:
        """An event, of the run or of a step."""
        where = {"cell": step.cell, "step": step.name} if step else {}
        with writing(self.folder):
            self.events.tell(event, **where, **facts)

    # One step

    def _one_step(self, step: PlannedStep) -> None:
        missing = [name for name in step.reads if (step.cell, name) in self.lost]
        if missing:
            self._block(
                step, [f"needs {name}, which {self.lost[step.cell, name]}" for name in missing]
            )
        elif step.action == "blocked":
            self._fail(step, StepFailed(label_of(step), "; ".join(step.reasons)))
        elif step.key in self.failed:
            self._block(step, [f"the same as {self.failed[step.key]}, which failed"])
        else:
            try:
                self._provide(step)
            except StudyError as error:
                self._fail(step, error)

    def _provide(self, step: PlannedStep) -> None:
        """See to it that the step's artifact is stored and shown; repair what it meets."""
        for attempt in range(ATTEMPTS):
            try:
                self._attempt(step, last=attempt == ATTEMPTS - 1)
                return
            except StudyError as error:
                damage = damage_behind(error)
                if damage is None or attempt == ATTEMPTS - 1:
                    raise
                self._repair(step, damage)

    def _attempt(self, step: PlannedStep, *, last: bool) -> None:
        if self._was_made(step):
            return
        if self._reuse(step, step.reasons if step.action == "reuse" else MEANWHILE):
            return
        if not last:  # others' inputs may be damaged, too
            self.together.make(step)
        if not self._was_made(step):
            self._make(step)

    def _was_made(self, step: PlannedStep) -> bool:
        """Whether it was made together with others, and now is shown."""
        made = self.together.has_made(step)
        if made:
            self._show(step)
        return made

    def _may_run(self, step: PlannedStep) -> bool:
        """Whether nothing has gone wrong so far that forbids it."""
        lost = any((step.cell, name) in self.lost for name in (step.name, *step.reads))
        return not lost and step.key not in self.failed

    def _reuse(self, step: PlannedStep, reasons: Sequence[str]) -> bool:
        if self.store.state(step.key) != "stored":
            return False
        self._show(step)
        self.tell("step-reused", step, component=step.component, key=step.key, reasons=[*reasons])
        self.record.step(step, status="reused", action="reuse", reasons=[*reasons], seconds=0.0)
        return True

    def _make(self, step: PlannedStep) -> None:
        def waiting(holder: str) -> None:
            message = f"process {holder} is making {step.component}"
            self.tell("waiting", step, message=message, key=step.key)

        with self.store.lock(step.key, max(self.options.wait, PATIENCE), waiting):
            if self._reuse(step, MEANWHILE):
                return
            self.maker.make(step, self._why(step))
        self._show(step)

    def _why(self, step: PlannedStep) -> list[str]:
        if step.action == "run" and step.key not in self.damaged:
            return list(step.reasons)
        if step.key in self.damaged or self.store.state(step.key) == "damaged":
            return ["its stored artifact was damaged"]
        return ["its artifact is no longer in the store"]

    def _let_go(self, model: str) -> None:
        """Drop a model after the last step that may need it."""
        self.users[model] -= 1
        if not self.users[model]:
            self.maker.warm.drop(model)

    def _show(self, step: PlannedStep) -> None:
        shows = step.node.bound.component.shows
        present = partial(self._present, step) if shows else None
        self.exports[step.cell].show(step.name, self.store.open(step.key), present)

    def _present(self, step: PlannedStep, files: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """What is shown in place of a report's stored files; nothing where its component fails."""
        component = step.node.bound.component
        try:
            return self.registry.shown(component, files, self.record.of_cell(step.cell), step.cell)
        except StudyError as error:
            message = f"the report is shown as it is stored: {error}"
            if message not in self.events.warnings:  # it is asked twice, and in every cell
                self.tell("warning", step, message=message)
            return {}

    # When something is wrong

    def _repair(self, step: PlannedStep, damage: ArtifactDamaged) -> None:
        """Make a damaged artifact again, unless it is the step's own, which comes next anyway."""
        key = self.store.key_of(damage.file)
        self.damaged.add(key)
        self.tell("damaged", step, message=str(damage), key=key)
        for other in self.plan.steps:
            if other.key == key != step.key:
                self._provide(other)
                return

    def _fail(self, step: PlannedStep, error: StudyError) -> None:
        self.errors.append(error)
        self.lost[step.cell, step.name] = "failed"
        if step.key:
            self.failed[step.key] = label_of(step)
        self.tell("step-failed", step, message=str(error))
        self.record.step(step, status="failed", error=str(error))

    def _block(self, step: PlannedStep, reasons: list[str]) -> None:
        self.lost[step.cell, step.name] = "is blocked"
        self.tell("step-blocked", step, reasons=reasons)
        self.record.step(step, status="blocked", action="blocked", reasons=reasons)
