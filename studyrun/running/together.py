"""Steps of one component that are computed at once (`Component.many`), whatever cell they are of.

When a run comes to a step of such a component, the steps after it that could be made now as well
are handed over with it. This is never needed: what is not handed over, or comes back without a
result, is made alone in its own turn, and is then what it would have been.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from studyrun.contracts import Job
from studyrun.errors import PluginError, StoreBusy, StudyError
from studyrun.running.batches import free
from studyrun.running.execution import ManyFailed, call_many
from studyrun.running.making import damage_behind
from studyrun.running.peers import MOST, Peers
from studyrun.running.progress import OneBar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from studyrun.artifacts import Result
    from studyrun.plan import PlannedStep
    from studyrun.running.making import Maker

__all__ = ["Together"]


@dataclass(slots=True, eq=False)
class Together:
    """What a run computes at once.

    Jobs are handed over once: what was left out then is not asked for again, except after damage.
    """

    maker: Maker
    may_run: Callable[[PlannedStep], bool]
    """Whether nothing in the run so far forbids that step."""
    why: Callable[[PlannedStep], list[str]]
    """The reasons for which it is made."""
    _peers: Peers = field(init=False)
    _offered: set[str] = field(default_factory=set)
    """Keys of jobs that were handed over."""
    _made: dict[tuple[str, str], PlannedStep] = field(default_factory=dict)
    """By (cell, step), until its turn comes."""

    def __post_init__(self) -> None:
        self._peers = Peers(self.maker.plan.steps, self.maker.plan.cells)

    @property
    def ahead(self) -> tuple[PlannedStep, ...]:
        """What was made before its turn, which has not come yet."""
        return tuple(self._made.values())

    def has_made(self, step: PlannedStep) -> bool:
        """Whether it was made together with others; asked in its turn, and true only once."""
        made = self._made.pop((step.cell, step.name), None)
        return made is not None and self.maker.store.state(step.key) == "stored"

    def make(self, step: PlannedStep) -> None:
        """Make the step and others at once, as far as that can be done.

        Raises:
            PluginError: `many` broke its contract.
            ArtifactDamaged: an input is not as it was written; to be tried again once it is.
            StudyError: a disk refused.
        """
        if not step.node.bound.component.many or step.key in self._offered:
            return
        steps = [step, *self._ready(step)]
        locks: dict[str, ExitStack] = {}
        try:
            self._lock(steps, locks)
            jobs = self._jobs(step, [each for each in steps if each.key in locks])
            if len(jobs) > 1:
                self._compute(jobs, locks)
        finally:
            for lock in locks.values():
                lock.close()

    # Who takes part

    def _ready(self, step: PlannedStep) -> list[PlannedStep]:
        """The others whose inputs are stored, and which must be made too."""
        found = (other for other in self._peers.of(step) if self._is_ready(other))
        return list(islice(found, MOST - 1))

    def _is_ready(self, step: PlannedStep) -> bool:
        state, keys = self.maker.store.state, self.maker.keys[step.cell]
        return (
            step.key not in self._offered
            and self.may_run(step)
            and state(step.key) != "stored"
            and all(state(keys[name]) == "stored" for name in step.reads)
        )

    def _lock(self, steps: Iterable[PlannedStep], locks: dict[str, ExitStack]) -> None:
        """Lock keys, but none that another process is making or has made by now.

        Nothing is waited for, so that processes that want the same cannot wait for each other;
        they try in the same order, so that one of them mostly gets all.
        """
        for key in sorted(step.key for step in steps):
            with suppress(StoreBusy), ExitStack() as lock:
                lock.enter_context(self.maker.store.lock(key))
                if self.maker.store.state(key) != "stored":
                    locks[key] = lock.pop_all()

    def _jobs(
        self, first: PlannedStep, steps: Sequence[PlannedStep]
    ) -> list[tuple[PlannedStep, Job]]:
        """A job for each that can be given its inputs; none at all if the first one cannot."""
        progress = OneBar(self.maker.options.progress)
        jobs = []
        for step in steps:
            with suppress(StudyError):  # told in its own turn
                context = self.maker.context(step, progress)
                jobs.append((step, Job(step.node.bound.params, self.maker.inputs(step), context)))
        return jobs if jobs and jobs[0][0] is first else []

    # The computation

    def _compute(
        self, jobs: Sequence[tuple[PlannedStep, Job]], locks: dict[str, ExitStack]
    ) -> None:
        work = _Work(self.maker, [step for step, _ in jobs])
        self._offered |= {step.key for step in work.steps}
        registry = self.maker.registry
        try:
            with work, closing(call_many(work.first, [j for _, j in jobs], registry)) as found:
                work.start(self.why)
                for number, result in found:
                    step = work.steps[number]
                    work.keep(step, result)
                    locks.pop(step.key).close()  # whoever waits for it need not wait for the rest
                    self._made[step.cell, step.name] = step
        except ManyFailed as failure:
            self._failed(work, failure.cause)
        except PluginError as error:
            raise self.maker.at_fault(work.first, error) from error
        free()  # after the except block: the traceback held what `many` had allocated

    def _failed(self, work: _Work, cause: BaseException) -> None:
        """Say why the rest is made one by one; where it is damage, it is repaired and tried again.

        Raises:
            ArtifactDamaged: it is.
        """
        damage = damage_behind(cause)
        if damage is not None:
            self._offered -= {step.key for step in work.left}
            raise damage from cause
        file = self.maker.traceback(work.first, cause, "together")
        said = str(cause) if isinstance(cause, StudyError) else f"{type(cause).__name__}: {cause}"
        message = (
            f"{len(work.steps)} steps of {work.first.component} at once failed, and what is left "
            f"of them is made one by one: {said} (traceback: {file})"
        )
        self.maker.tell("warning", work.first, message=message)


@dataclass(slots=True, eq=False)
class _Work:
    """Steps that are under way at once, and the time that they take together."""

    maker: Maker
    steps: list[PlannedStep]
    done: list[PlannedStep] = field(default_factory=list)
    _start: float = 0.0

    @property
    def first(self) -> PlannedStep:
        """The step whose turn it is."""
        return self.steps[0]

    @property
    def left(self) -> list[PlannedStep]:
        """Those that were not made."""
        return [step for step in self.steps if step not in self.done]

    def start(self, why: Callable[[PlannedStep], list[str]]) -> None:
        for step in self.steps:
            self.maker.started(step, why(step), together=len(self.steps))
        self.maker.memory.reset()
        self._start = time.monotonic()

    def keep(self, step: PlannedStep, result: Result) -> None:
        """Store a result; its seconds are those of all so far."""
        self.maker.keep(step, result)
        self.done.append(step)
        peak = self.maker.memory.peak()
        self.maker.record.step(step, status="done", seconds=self._seconds, peak_memory=peak)
        self.maker.finished(step, self._seconds, together=len(self.steps))

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Record the share of each in the time that passed; what was not made waits for its turn.

        After an interruption it does not: the record says that it was interrupted.
        """
        for step in self.steps:
            self.maker.store.clear_scratch(step.key)
        for step in self.done:
            share = round(self._seconds / len(self.done), 3)
            self.maker.record.step(step, seconds=share, together=len(self.done))
        if kind is None or issubclass(kind, Exception):
            for step in self.left:
                self.maker.record.step(step, status="planned")

    @property
    def _seconds(self) -> float:
        return round(time.monotonic() - self._start, 3)
