"""The full study and its second run, side by side, in fresh processes and a fresh folder.

python bench/study.py [STUDY.yaml]
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECOND_RUNS = 5


def timed(study: Path, folder: str) -> tuple[float, float]:
    """(wall, CPU) seconds of one `studyrun STUDY.yaml`, process start included."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "studyrun", str(study), "--out", folder, "--quiet"]
    subprocess.run(command, check=True)
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    study = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "studies/layer14_pos3.yaml"
    with tempfile.TemporaryDirectory() as folder:
        first = timed(study, folder)
        seconds = [timed(study, folder) for _ in range(SECOND_RUNS)]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    wall = statistics.median(each[0] for each in seconds)
    cpu = statistics.median(each[1] for each in seconds)
    print(f"{study.name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"first run   {first[0]:7.2f} s wall  {first[1]:7.2f} s CPU  peak {peak:.2f} GiB")
    print(f"second run  {wall:7.2f} s wall  {cpu:7.2f} s CPU  (median of {SECOND_RUNS})")
    print(f"ratio       {first[0] / wall:7.0f}")


if __name__ == "__main__":
    main()
