"""What steps will about take: operations as seconds, and both in words."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from studyrun.running.machine import cores, may_have_gpu

if TYPE_CHECKING:
    from studyrun.contracts import Estimate
    from studyrun.study import Runtime

__all__ = ["FLOPS_OF_A_CORE", "Outlook", "outlook", "threads_of"]

FLOPS_OF_A_CORE = 25e9
"""What a core of a processor is taken to sustain on products of middle-sized float32 matrices."""
MINUTE, HOUR = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """An estimate on the machine at hand."""

    estimate: Estimate
    seconds: float | None
    """None where nothing is said of time, or the step may run on an accelerator."""

    def plain(self) -> dict[str, Any]:
        """The facts as JSON."""
        return {**asdict(self.estimate), "seconds": self.seconds}

    def __str__(self) -> str:
        """`about 40 s, 1.2 GB: 7,473 problems of about 60 tokens`."""
        spans = [_time(self.seconds)] if self.seconds is not None else []
        spans += [_size(self.estimate.bytes)] if self.estimate.bytes else []
        said = f"about {', '.join(spans)}" if spans else ""
        return ": ".join(filter(None, (said, self.estimate.note)))


def outlook(estimate: Estimate, runtime: Runtime) -> Outlook:
    """The estimate with seconds, where the study runs on the processor.

    seconds = flops / (FLOPS_OF_A_CORE * threads)
    """
    timed = estimate.flops > 0 and not _on_accelerator(runtime)
    seconds = estimate.flops / (FLOPS_OF_A_CORE * threads_of(runtime)) if timed else None
    return Outlook(estimate, seconds)


def threads_of(runtime: Runtime) -> int:
    """How many threads torch will take."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return runtime.threads or (int(told) if told.isdecimal() and int(told) else cores())


def _on_accelerator(runtime: Runtime) -> bool:
    return runtime.device == "cuda" or (runtime.device == "auto" and may_have_gpu())


def _time(seconds: float) -> str:
    if seconds < 1:
        return "1 s"
    if seconds < 2 * MINUTE:
        return f"{_rounded(seconds)} s"
    if seconds < 2 * HOUR:
        return f"{_rounded(seconds / MINUTE)} min"
    return f"{_rounded(seconds / HOUR)} h"


def _size(size: float) -> str:
    if size < 1e9:
        return f"{_rounded(max(size, 1e6) / 1e6)} MB"
    return f"{_rounded(size / 1e9)} GB"


def _rounded(value: float) -> str:
    """Two digits: nobody should believe more."""
    return f"{float(f'{value:.2g}'):,g}"
