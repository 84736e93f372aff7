"""How long a report takes to build and to answer, and how large it is: 512 and 16,384 features.

    python bench/report.py [RUN]

RUN is a finished run's folder; without one `studies/layer14_pos3.yaml` is run first (a minute).
The large case is the same artifacts 32 times over, the features of every copy with numbers of
their own: its tables of labels, portraits and co-activation have 32 times the rows. Activations
are shared out among the copies, so that as many features as before are active on a problem.
Copies are alike, so they compress better than features that all differ: of 16,384 such ones
`bench/synthetic_report.py` writes 64 MB.

Building is the step `report` in a fresh process, imports and reading included, beside the time
that drawing the same figures takes alone. Of 512 features it is built twice: the first time on a
machine Vega's script has to be put together. A page is interactive when chromium has painted it,
its table of features has rows, and a click on the head of a column has sorted them; beside it
stands a page of as many bytes that holds nothing but one row and a script that answers the click,
and the largest page of `features/`, whose data is compressed. Medians of 5 rounds, in turns. Ends
with 1 if a target is missed.
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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests/browser"))

from chromium import ARGUMENTS, context, executable
from playwright.sync_api import Browser, sync_playwright

from shelf import Shelf
from studyrun import Artifact, Inputs, Result, open_run
from studyrun.store import Store

STUDY = Path(__file__).parents[1] / "studies/layer14_pos3.yaml"
ROUNDS, COPIES = 5, 32
TARGETS = {
    1: {"build_s": 5.0, "page_mb": 6.0, "interactive_s": 2.0},
    COPIES: {"build_s": 60.0, "page_mb": 25.0, "all_mb": 60.0, "peak_gb": 1.5},
}
"""Copies of the features -> what the report of so many may take."""
FEATURES = ("feature", "other", "neighbour", "nearest", "feature_a", "feature_b", "match")
NUMBERED = ("module", "place_on_map", "edit")
SHARED_OUT = ("feature-acts",)
AS_IT_IS = ("map",)
"""A table that does not grow with the features."""
ANSWERED = """
const tick = () => {
  const table = document.querySelector("[data-features]");
  const button = table?.querySelector("th[data-column=rank] button");
  if (!button || !table.querySelector("tbody tr")) return requestAnimationFrame(tick);
  button.click();
  if (!button.closest("th").hasAttribute("aria-sort")) return requestAnimationFrame(tick);
  requestAnimationFrame(() => requestAnimationFrame(() => {
    window.answered = performance.now();
  }));
};
requestAnimationFrame(tick);
"""
BARE = """<!doctype html><meta charset=utf-8><title>bare</title>
<table data-features><thead><tr><th data-column=rank><button>Rank</button></th></tr></thead>
<tbody><tr><td>1</td></tr></tbody></table>
<script>document.querySelector("button").onclick = (event) =>
  event.target.closest("th").setAttribute("aria-sort", "ascending");</script>
<script type="application/json">{}</script>"""


# The artifacts


def staged(run: Path, copies: int, folder: Path) -> Path:
    """A file that says where the inputs are: the run's own, or every feature several times."""
    opened = open_run(run)
    steps = {step: opened[step] for step in opened if step != "report"}
    study = opened.record["cells"][""]["study"]
    store = opened.folder.parent.parent / "store"
    if copies > 1:
        store, shelf = folder / "store", Shelf(folder / "store")
        steps = {
            step: shelf.put(
                artifact.manifest.type, grown(artifact, copies), artifact.manifest.made_by
            )
            for step, artifact in steps.items()
        }
    told = {
        "store": str(store),
        "study": study,
        "steps": {step: artifact.key for step, artifact in steps.items()},
    }
    file = folder / "inputs.json"
    file.write_text(json.dumps(told))
    return file


def grown(artifact: Artifact, copies: int) -> Result:
    """The artifact of as many times the features."""
    shared = artifact.manifest.type in SHARED_OUT
    d_sae = int(artifact.meta.get("d_sae") or 512)
    tables = {
        name: spread(artifact.read_table(name), copies, d_sae)
        if shared and name == "table"
        else repeated(artifact.read_table(name), name, copies, d_sae)
        for name in artifact.table_names
    }
    has_tensors = any(name.endswith(".safetensors") for name in artifact.manifest.files)
    tensors = dict(artifact.tensors()) if has_tensors else {}
    if "W_dec" in tensors:
        tensors["W_dec"] = tensors["W_dec"].repeat(copies, 1)
    meta = dict(artifact.meta)
    return Result(tables=tables, tensors=tensors, meta=meta)


def spread(table: pl.DataFrame, copies: int, d_sae: int) -> pl.DataFrame:
    """Every row belongs to one copy of its feature, by turns."""
    copy = pl.int_range(pl.len(), dtype=pl.UInt32) % copies
    return table.with_columns((pl.col("feature") + copy * d_sae).cast(table.schema["feature"]))


def repeated(table: pl.DataFrame, name: str, copies: int, d_sae: int) -> pl.DataFrame:
    """All rows once for each copy, the numbers of features, ranks and modules its own."""
    if not numbers_of(table, FEATURES) or name in AS_IT_IS:
        return table
    frames = [copied(table, copy, copies, d_sae) for copy in range(copies)]
    return pl.concat(frames)


def numbers_of(table: pl.DataFrame, names: Sequence[str]) -> list[str]:
    return [name for name in names if name in table.columns and table.schema[name].is_integer()]


def copied(table: pl.DataFrame, copy: int, copies: int, d_sae: int) -> pl.DataFrame:
    def moved(name: str, by: int) -> pl.Expr:
        return (pl.col(name) + by).cast(table.schema[name])

    changes = [moved(each, copy * d_sae) for each in numbers_of(table, FEATURES)]
    for each in numbers_of(table, NUMBERED):
        changes.append(moved(each, copy * (int(table[each].max() or 0) + 1)))
    if table.schema.get("features") == pl.List(pl.UInt32):
        changes.append(pl.col("features").list.eval(pl.element() + copy * d_sae))
    if "rank" in table.columns:
        ranks = (pl.col("rank") - 1) * copies + copy + 1
        changes.append(ranks.cast(table.schema["rank"]))
    return table.with_columns(changes)


# Building, in a process of its own


def build(inputs: Path, out: Path) -> None:
    """The step's files, written; prints what it took as JSON."""
    from studyrun_report.params import ReportParams
    from studyrun_report.report import run

    told = json.loads(inputs.read_text())
    store = Store(Path(told["store"]))
    steps = {step: store.open(key) for step, key in told["steps"].items()}
    begin = time.perf_counter()
    result = run(ReportParams(), Inputs({}, steps, told["study"]), None)
    seconds = time.perf_counter() - begin
    for name, content in result.files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    draw_s = drawing(json.loads(result.files["report.json"]))
    print(json.dumps({"step_s": seconds, "draw_s": draw_s, "peak_gb": peak_gb}))


def drawing(record: Mapping[str, Any]) -> float:
    """Seconds that vl_convert takes for the figures alone."""
    import vl_convert

    blocks = [block for section in record["sections"] for block in section["blocks"]]
    specs = [block["spec"] for block in blocks if block["type"] == "figure"]
    begin = time.perf_counter()
    for spec in specs:
        vl_convert.vegalite_to_svg(spec)
    return time.perf_counter() - begin


def built(inputs: Path, out: Path) -> dict[str, float]:
    begin, before = time.perf_counter(), cpu()
    command = [sys.executable, __file__, "--build", str(inputs), str(out)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    wall, used = time.perf_counter() - begin, cpu() - before
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {**told, "build_s": wall - told["draw_s"], "cpu_s": used - told["draw_s"]}


def cpu() -> float:
    """Seconds of all processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# The page in a browser


def interactive(browser: Browser, page: Path) -> float:
    """Seconds from the start of the navigation to an answered click."""
    with context(browser) as made:
        opened = made.new_page()
        opened.add_init_script(ANSWERED)
        opened.goto(page.as_uri(), wait_until="commit")
        opened.wait_for_function("() => window.answered !== undefined")
        return float(opened.evaluate("() => window.answered")) / 1000


def bare(page: Path, folder: Path) -> Path:
    """A page of as many bytes that does nothing."""
    filling = "x" * (page.stat().st_size - len(BARE))
    file = folder / "bare.html"
    file.write_text(BARE.replace("{}", f'"{filling}"'))
    return file


def rounds(page: Path, part: Path | None, folder: Path) -> Iterator[tuple[float, float, float]]:
    """(the page, the bare page, one of its parts) in turns."""
    other = bare(page, folder)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
        interactive(browser, other)
        for _ in range(ROUNDS):
            seconds = interactive(browser, part) if part else 0.0
            yield interactive(browser, page), interactive(browser, other), seconds
        browser.close()


def measured(run: Path, copies: int, folder: Path) -> dict[str, float]:
    folder.mkdir()
    out = folder / "report"
    inputs = staged(run, copies, folder)
    first = built(inputs, out)
    found = built(inputs, out) if copies == 1 else first
    sizes = {file: file.stat().st_size for file in out.rglob("*") if file.is_file()}
    part = max(out.glob("features/*.html"), key=lambda file: sizes[file], default=None)
    times = list(rounds(out / "report.html", part, folder))
    return {
        **found,
        "first_s": first["build_s"],
        "page_mb": sizes[out / "report.html"] / 1e6,
        "all_mb": sum(sizes.values()) / 1e6,
        "files": len(sizes),
        "interactive_s": statistics.median(page for page, _, _ in times),
        "bare_s": statistics.median(other for _, other, _ in times),
        "ratio": statistics.median(page / other for page, other, _ in times),
        "part_s": statistics.median(part for _, _, part in times),
    }


def shown(features: int, found: Mapping[str, float], targets: Mapping[str, float]) -> bool:
    """Prints a case; whether every target is met."""

    def of(name: str) -> str:
        return f" (target {targets[name]:g})" if name in targets else ""

    build_s, step_s, draw_s = found["build_s"], found["step_s"], found["draw_s"]
    print(f"{features} features")
    print(f"  built in     {build_s:6.2f} s{of('build_s')}, {found['cpu_s']:.2f} s of CPU, at most "
          f"{found['peak_gb']:.2f} GB of memory{of('peak_gb')}")  # fmt: skip
    if found["first_s"] != build_s:
        print(f"  first time   {found['first_s']:6.2f} s")
    print(f"  the step     {step_s:6.2f} s, its figures alone {draw_s:.2f} s: "
          f"{step_s / draw_s:.1f} times as long")  # fmt: skip
    print(f"  report.html  {found['page_mb']:6.2f} MB{of('page_mb')}, "
          f"everything {found['all_mb']:.1f} MB{of('all_mb')} in {found['files']:.0f} "
          "files")  # fmt: skip
    print(f"  interactive  {found['interactive_s']:6.2f} s{of('interactive_s')}, a bare page "
          f"{found['bare_s']:.2f} s: {found['ratio']:.1f} times as long", flush=True)  # fmt: skip
    if found["part_s"]:
        print(f"  a part       {found['part_s']:6.2f} s", flush=True)
    return all(found[name] <= limit for name, limit in targets.items())


def main() -> int:
    if sys.argv[1:2] == ["--build"]:
        build(Path(sys.argv[2]), Path(sys.argv[3]))
        return 0
    if executable() is None:
        print("no chromium is installed")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 1:
            run = Path(sys.argv[1])
        else:
            command = [sys.executable, "-m", "studyrun", str(STUDY), "--out", folder, "--quiet"]
            subprocess.run(command, check=True)
            run = Path(folder) / STUDY.stem / "latest"
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"  # empty: nothing is kept yet
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
        met = []
        for copies, targets in TARGETS.items():
            found = measured(run, copies, Path(folder) / f"times-{copies}")
            met.append(shown(512 * copies, found, targets))
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
