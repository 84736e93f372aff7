"""How long classifying takes and how much memory, each case in a process of its own.

    python bench/classify.py [CASE ...]

Ends with 1 if a target is missed. The data (features that know of nothing, active on 1 % of the
problems) are drawn into a temporary folder, by another process.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from studyrun import Concept, Evidence
from studyrun_classify import associate, associations
from studyrun_classify.classifiers.enrichment import classify
from studyrun_classify.features import ranked
from studyrun_classify.params import EnrichmentParams
from studyrun_classify.statistics.incidence import counts, incidence_of

SMALL = {"n_problems": 1_495, "d_sae": 512, "rarest": 0.001}
LARGE = {"n_problems": 100_000, "d_sae": 65_536, "rarest": 0.01}
AT_ONCE = 500
"""Problems drawn at once."""


def drawn(folder: Path, n_problems: int, d_sae: int, rarest: float) -> None:
    """Activations of features that know of nothing, as Parquet.

    All features are active on 1 % of the problems, or from `rarest` to 1 - `rarest` of them, evenly
    in the log odds, if that is less.
    """
    rng, parts = np.random.default_rng(0), []
    logits = np.linspace(np.log(rarest / (1 - rarest)), np.log((1 - rarest) / rarest), d_sae)
    frequency = (1 / (1 + np.exp(-logits)) if rarest < 0.01 else np.full(d_sae, 0.01)).astype("f4")
    for first in range(0, n_problems, AT_ONCE):
        shape = (min(AT_ONCE, n_problems - first), d_sae)
        problem, feature = np.nonzero(rng.random(shape, dtype=np.float32) < frequency)
        strength = rng.standard_gamma(2.0, size=len(problem), dtype=np.float32)
        columns = {"problem": (problem + first).astype("u4"), "feature": feature.astype("u4")}
        parts.append(pl.DataFrame(columns | {"activation": strength}))
    pl.concat(parts).write_parquet(folder / "activations.parquet")


def evidence(folder: Path, size: dict[str, int], n: int) -> Evidence:
    """With `n` concepts that hold on 0.5 % to 50 % of the problems, eight of them patterns."""
    rng, n_problems = np.random.default_rng(1), size["n_problems"]
    activations = pl.read_parquet(folder / "activations.parquet")
    shares = np.geomspace(0.005, 0.5, n)
    held = [np.flatnonzero(rng.random(n_problems) < share).astype(np.uint32) for share in shares]
    for whole in range(8):
        held[whole] = np.intersect1d(held[n - 1 - whole], held[n - 2 - whole])[::2]
    concepts = [Concept(f"c{i}", "value", pl.lit(value=True), _parts(i, n)) for i in range(n)]
    of = np.repeat(np.arange(n, dtype=np.uint32), [len(problems) for problems in held])
    steps = rng.integers(1, 5, n_problems)
    problems = pl.DataFrame({"problem": np.arange(n_problems, dtype=np.uint32), "n_steps": steps})
    return Evidence(
        problems=problems,
        activations=activations,
        features=ranked(activations, size["d_sae"], n_problems),
        concepts=tuple(concepts),
        membership=pl.DataFrame({"problem": np.concatenate(held), "concept": of}),
        seed=0,
    )


def _parts(whole: int, n: int) -> tuple[str, ...]:
    return (f"c{n - 1 - whole}", f"c{n - 2 - whole}") if whole < 8 else ()


def associate_small(folder: Path) -> dict[str, float]:
    """Counting and `associate` for 512 x 200, from the activations frame."""
    case = evidence(folder, SMALL, n=200)
    return timed(lambda: associate(counts(incidence_of(case))), runs=5)


def enrichment_small(folder: Path) -> dict[str, float]:
    """`enrichment` for 512 x 45: halves, strata and parts."""
    case = evidence(folder, SMALL, n=45)
    return timed(lambda: classify(case, EnrichmentParams()), runs=5)


def associations_large(folder: Path) -> dict[str, float]:
    """All 13.1 million rows, from the activations frame to Parquet files."""
    case = evidence(folder, LARGE, n=200)

    def run() -> None:
        for number, table in enumerate(associations(case)):
            table.write_parquet(folder / f"{number:04}.parquet")

    return timed(run, runs=1)


def enrichment_large(folder: Path) -> dict[str, float]:
    """`enrichment` on the same, keeping associations with p <= 1e-4."""
    case = evidence(folder, LARGE, n=200)
    return timed(lambda: classify(case, EnrichmentParams(max_p=1e-4)), runs=1)


def timed(work: Callable[[], object], runs: int) -> dict[str, float]:
    """Seconds of the first call and of the median one, and the CPU seconds of the first."""
    seconds, cpu = [], []
    for _ in range(runs):
        begin, used = time.perf_counter(), time.process_time()
        work()
        seconds.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - used)
    return {"first": seconds[0], "median": statistics.median(seconds), "cpu": cpu[0]}


CASES = {
    "associate": (associate_small, SMALL, "512 x 200 x 1,495", 1.0),
    "enrichment": (enrichment_small, SMALL, "512 x 45 x 1,495", 1.0),
    "associations-large": (associations_large, LARGE, "65,536 x 200 x 100,000", 300.0),
    "enrichment-large": (enrichment_large, LARGE, "65,536 x 200 x 100,000", 900.0),
}
"""Name -> what is run, on how much, in words, and in how many seconds (median) it is to be done.

The first call also solves for the sample sizes that `n_needed` looks up.
"""
PEAK = 3.0
"""GiB of memory in which each is to be done."""


def worker(what: str, name: str, folder: Path) -> None:
    """One process: draw the data of a case, or run it and say what it took."""
    run, size, _, _ = CASES[name]
    if what == "draw":
        drawn(folder, **size)
        return
    measured = run(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(measured | {"peak": peak}))


def measured(name: str, folder: Path) -> dict[str, float]:
    """The case in a fresh process."""
    me = [sys.executable, __file__]
    if not (folder / "activations.parquet").exists():
        subprocess.run([*me, "draw", name, str(folder)], check=True)
    done = subprocess.run([*me, "run", name, str(folder)], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def main(names: list[str]) -> int:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            _, size, words, target = CASES[name]
            own = Path(folder) / str(size["d_sae"])
            own.mkdir(exist_ok=True)
            found = measured(name, own)
            missed += found["median"] > target or found["peak"] > PEAK
            seconds = "  ".join(f"{key} {found[key]:7.2f} s" for key in ("first", "median", "cpu"))
            print(f"{name:18}  {words:22}  {seconds}  of {target:5.1f} s  "
                  f"peak {found['peak']:.2f} of {PEAK:.0f} GiB", flush=True)  # fmt: skip
    return int(missed > 0)


if __name__ == "__main__":
    if sys.argv[1:2] in (["draw"], ["run"]):
        worker(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
        sys.exit(0)
    sys.exit(main(sys.argv[1:] or list(CASES)))
