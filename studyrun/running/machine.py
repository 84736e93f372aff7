"""What a run was made with and on: versions, the study's git commit, the hardware, memory."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studyrun import __version__

if TYPE_CHECKING:
    import torch

__all__ = ["Memory", "cores", "free_bytes", "git_state", "hardware", "may_have_gpu", "versions"]

LIBRARIES = ("numpy", "polars", "safetensors", "scipy", "tokenizers", "torch", "transformers")
DRIVER = Path("/proc/driver/nvidia/version")
GROUP = Path("/sys/fs/cgroup")
GIT_SECONDS = 5.0
"""A repository that takes longer than this to answer is recorded as unknown."""


def versions() -> dict[str, str]:
    """Python, studyrun and the libraries that can change a number, as installed."""
    found = {"python": platform.python_version(), "studyrun": __version__}
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit and dirty flag of the repository around a folder; None if there is none."""
    command = ["git", "-C", str(folder), "status", "--porcelain=v2", "--branch"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.splitlines()
    commit = next((x.split()[2] for x in lines if x.startswith("# branch.oid ")), "")
    return {"commit": commit, "dirty": any(not line.startswith("#") for line in lines)}


def hardware() -> dict[str, Any]:
    """Processor, cores, memory in bytes; torch's threads and GPUs if the run had use for it."""
    return {
        "machine": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": cores(),
        "memory_bytes": _memory(),
        **_torch_facts(),
    }


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def may_have_gpu() -> bool:
    """Whether torch might find a CUDA device; it is not asked, because importing it takes long."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return not hidden and (DRIVER.exists() or shutil.which("nvidia-smi") is not None)


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def free_bytes(device: torch.device) -> int:
    """The memory that a device has free: of the processor's what programs can get without swapping.

    A container's limit counts, as far as Linux tells it.
    """
    if device.type == "cuda":
        from torch import cuda

        unused = cuda.memory_reserved(device) - cuda.memory_allocated(device)
        return int(cuda.mem_get_info(device)[0]) + unused
    return min([room for room in (_available(), _room_in_group()) if room is not None], default=0)


def _available() -> int | None:
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    memory = _memory()
    return memory and memory // 2  # nobody tells what is free


def _room_in_group() -> int | None:
    """What the control group of a container leaves; None where there is no limit."""
    with suppress(OSError, ValueError):  # no such file, or the limit is `max`
        limit, used = (int((GROUP / f"memory.{x}").read_text()) for x in ("max", "current"))
        return max(0, limit - used)
    return None


def _torch_facts() -> dict[str, Any]:
    """Threads and GPUs; None where torch was never imported, so that nobody looked."""
    torch = sys.modules.get("torch")
    if torch is None:
        return {"threads": None, "gpus": None}
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {"threads": torch.get_num_threads(), "gpus": gpus}


class Memory:
    """The highest memory use since `reset()`, in bytes; each step has its own."""

    def reset(self) -> None:
        """Start anew. Outside Linux the processor's mark cannot be reset and only grows."""
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.reset_peak_memory_stats()

    def peak(self) -> dict[str, int]:
        """`cpu_bytes`, and `gpu_bytes` where a GPU was used."""
        found = {"cpu_bytes": _high_water()}
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            found["gpu_bytes"] = torch.cuda.max_memory_allocated()
        return found


def _high_water() -> int:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024
