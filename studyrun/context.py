"""The surroundings of a step: device, seeds, warm models, batches, progress; one per process.

The same seed gives the same bytes on the same machine. The number of CPU threads can change the
last bits of a reduction (a float32 mean of a million numbers differed between one thread and two;
matrix products did not), as can another processor. torch takes as many threads as there are cores;
`runtime.threads` fixes the number, and the run's record says what it was.
"""

from __future__ import annotations

import hashlib
import random
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studyrun.errors import NoModel, PluginError, StudyError
from studyrun.running import batches
from studyrun.running.machine import free_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import torch

    from studyrun.contracts import Bound, Component, Kind
    from studyrun.models import Model
    from studyrun.registry import Registry
    from studyrun.running.progress import Progress
    from studyrun.wiring import Wiring

__all__ = ["CACHE_BYTES", "Errand", "StepContext", "Warm", "seed_globals", "seed_of"]


CACHE_BYTES = 2 << 30
"""Unless the study says otherwise."""


def seed_of(seed: int, purpose: str) -> int:
    """63 bits that depend on the study's seed and the purpose, and on nothing else."""
    hashed = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(hashed[:8], "big") >> 1


def seed_globals(seed: int) -> None:
    """Seed the generators that a library may use behind a step's back.

    Without this, what such a step draws would depend on which steps before it were reused.
    """
    value = seed_of(seed, "globals")
    random.seed(value)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(value % 2**32)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(value)


class Warm:
    """What outlives a step: the models that were loaded, each once per process and digest."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}

    def model(self, identity: str, load: Callable[[], Model]) -> Model:
        """The model of that identity, loaded if it is not there yet."""
        if identity not in self._models:
            self._models[identity] = self._fitting(load)
        return self._models[identity]

    def _fitting(self, load: Callable[[], Model]) -> Model:
        """A loaded model; the others make room for it where they must, and are loaded again."""
        try:
            return load()
        except (MemoryError, RuntimeError) as error:
            if not (self._models and batches.is_out_of_memory(error)):
                raise
        self._models.clear()  # after the except block: the traceback held what was loaded
        batches.free()
        return load()

    def drop(self, identity: str) -> None:
        """Let go of a model that no step to come needs."""
        self._models.pop(identity, None)


@dataclass(frozen=True, slots=True)
class Errand:
    """What belongs to one step alone."""

    tell: Callable[[str], None]
    """Records a note of the step."""
    scratch: Callable[[], Path]
    """Makes the step's empty folder."""
    model: Bound | None = None
    """The model that it takes."""
    model_identity: str = ""
    """What tells that model from others: digest of component, parameters, bytes and dtype."""
    partial: Callable[[], Path] | None = None
    """Gives the step's folder of finished pieces."""


class StepContext:
    """What one step of one cell is given (`contracts.Context`)."""

    def __init__(
        self,
        wiring: Wiring,
        registry: Registry,
        warm: Warm,
        progress: Progress,
        errand: Errand,
    ) -> None:
        self._wiring, self._registry, self._warm = wiring, registry, warm
        self._progress, self._errand = progress, errand

    # Where and how

    @property
    def device(self) -> torch.device:
        """Where tensors live: `auto` is the first CUDA device, else the processor.

        Raises:
            StudyError: the study asks for CUDA and there is none.
        """
        cuda = self._torch().cuda
        wanted = self._wiring.study.runtime.device
        if wanted == "auto":
            wanted = "cuda" if cuda.is_available() else "cpu"
        elif wanted == "cuda" and not cuda.is_available():
            raise StudyError(
                "runtime.device is cuda, but torch sees no CUDA device; "
                "write device: auto, or install a torch that was built for your GPU"
            )
        device: torch.device = self._torch().device(wanted)
        return device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the model's weights."""
        found: torch.dtype = getattr(self._torch(), self._wiring.study.runtime.dtype)
        return found

    @property
    def cache_bytes(self) -> int:
        """How much may be kept of a model's passes, so that they need not be made again."""
        return self._wiring.study.runtime.cache_bytes or CACHE_BYTES

    @property
    def many_bytes(self) -> int:
        """How much memory many jobs may take together beyond what one takes.

        Unless the study says otherwise half of what the device has free now: the other half is
        for what one takes, and for whoever else uses the device.
        """
        return self._wiring.study.runtime.many_bytes or free_bytes(self.device) // 2

    @property
    def seed(self) -> int:
        """The study's seed."""
        return self._wiring.study.seed

    def generator(self, purpose: str, seed: int | None = None) -> torch.Generator:
        """A CPU generator that depends only on the seed (None: the study's) and the purpose."""
        generator: torch.Generator = self._torch().Generator()
        return generator.manual_seed(seed_of(self.seed if seed is None else seed, purpose))

    # What is there

    def model(self) -> Model:
        """The step's model, loaded once per process however many steps and cells use it.

        Raises:
            NoModel: the study has none; StudyError: the step takes none.
            PluginError: the model's target returned something else.
        """
        bound = self._errand.model
        if bound is None:
            if self._wiring.model is None:
                raise NoModel("the study has no model; add a `model` section")
            message = "the step does not take the model; its component needs takes=('model', ...)"
            raise StudyError(message)
        return self._warm.model(self._errand.model_identity, lambda: self._load(bound))

    def bind(self, kind: Kind, ref: str | Mapping[str, Any]) -> Bound:
        """The component that a parameter names (`"enrichment"` or `{use:, with:}`)."""
        return self._registry.bind(kind, ref, self._wiring.study.folder)

    def components(self, kind: Kind) -> tuple[Component, ...]:
        """Every registered component of a kind, sorted by name."""
        return self._registry.components(kind)

    # Work

    def in_batches(
        self,
        work: Callable[[Sequence[int]], None],
        order: Sequence[int],
        *,
        label: str,
        unit: str = "problems",
        alike: Callable[[int], Hashable] | None = None,
        threads: int = 1,
    ) -> None:
        """Call `work` on consecutive pieces of `order`; halve and retry when memory runs out.

        After a retry `work` sees rows again: it must write each row to its own place.
        """
        size = self._wiring.study.runtime.batch_size or batches.DEFAULT_BATCH

        def shrunk(smaller: int) -> None:
            self.note(f"{label}: out of memory, going on with {smaller} {unit} at a time")

        with self._progress.bar(total=len(order), label=label, unit=unit) as done:
            runs = batches.runs_of(order, alike)
            batches.in_batches(work, runs, size, done, shrunk, threads)

    def track(self, items: Iterable[Any], *, total: int, label: str, unit: str) -> Iterator[Any]:
        """The items again, with a progress bar that appears after two seconds."""
        return self._progress.track(items, total=total, label=label, unit=unit)

    def whole(
        self, *, total: int, done: int, label: str, unit: str
    ) -> AbstractContextManager[None]:
        """One progress bar for everything of this unit that is counted inside."""
        return self._progress.whole(total=total, done=done, label=label, unit=unit)

    def note(self, message: str) -> None:
        """Write a line to the run's events, for the reader of the run."""
        self._errand.tell(message)

    def scratch(self) -> Path:
        """A folder that is this step's own while it runs and is removed afterwards."""
        return self._errand.scratch()

    def partial(self) -> Path:
        """A folder of finished pieces, which outlives a crash."""
        assert self._errand.partial is not None, "nobody keeps what this step finishes"
        return self._errand.partial()

    # Helpers

    def _torch(self) -> Any:
        import torch

        threads = self._wiring.study.runtime.threads
        if threads is not None and torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        return torch

    def _load(self, bound: Bound) -> Model:
        start = time.monotonic()
        model: Model = bound.load()(bound.params, self)
        name = bound.component.name
        if not callable(getattr(model, "activations", None)):
            owner = self._registry.owner(bound.component).label
            raise PluginError(owner, f"model {name!r} returned {type(model).__name__}, not a Model")
        self.note(f"model {name} loaded in {time.monotonic() - start:.1f} s")
        return model
