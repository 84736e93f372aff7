"""CPU time of the commands that people wait for: medians over 10 runs, beside their targets.

    python bench/startup.py

User plus system time of a fresh process (getrusage), so that a busy machine or a slow disk counts
as little as possible. Writes startup.json beside this file; ends with 1 if a target is missed.
"""

from __future__ import annotations

import json
import platform
import resource
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path

RUNS = 10
TARGETS = {
    ("--version",): 0.15,
    ("plugins",): 0.25,
    ("check", "studies/layer14_pos3.yaml"): 0.35,
}
"""Arguments -> seconds of CPU time, with torch installed."""
HERE = Path(__file__).parent


def main() -> int:
    rows = [measured(arguments, target) for arguments, target in TARGETS.items()]
    record = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "distributions": sum(1 for _ in metadata.distributions()),
        "runs": RUNS,
        "commands": rows,
    }
    (HERE / "startup.json").write_text(json.dumps(record, indent=1) + "\n")
    for row in rows:
        print(f"{row['median']:.3f} s of {row['target']:.2f} s  studyrun {row['arguments']}")
    return int(any(row["median"] > row["target"] for row in rows))


def measured(arguments: tuple[str, ...], target: float) -> dict[str, object]:
    command = [sys.executable, "-m", "studyrun", *arguments]
    seconds = sorted(cpu_seconds(command) for _ in range(RUNS))
    return {
        "arguments": " ".join(arguments),
        "target": target,
        "median": round(statistics.median(seconds), 3),
        "fastest": round(seconds[0], 3),
        "slowest": round(seconds[-1], 3),
    }


def cpu_seconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=HERE.parent, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
