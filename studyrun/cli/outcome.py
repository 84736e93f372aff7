"""Views of what a run will do (plan), has done (summary), and why (explanation)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from studyrun.cli.terminal import near, paint, table
from studyrun.estimates import FLOPS_OF_A_CORE, threads_of
from studyrun.running.history import LATEST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from studyrun.plan import Plan, PlannedStep
    from studyrun.runs import Explanation, Run

__all__ = ["explanation_text", "plan_text", "summary_text"]

COLOURS = {
    "run": "blue",
    "ran": "blue",
    "reuse": "dim",
    "reused": "dim",
    "blocked": "yellow",
    "failed": "red",
    "supported": "green",
    "refuted": "red",
    "inconclusive": "yellow",
}
SPOKEN = {"done": "ran", "running": "interrupted", "planned": "not reached"}
"""What a status in the record is called in front of people."""
PAGE = "report.html"


def plan_text(plan: Plan) -> str:
    """Per step run, reuse or blocked, and why."""
    counts = ", ".join(f"{plan.count(action)} {action}" for action in ("run", "reuse", "blocked"))
    rows = [(s.action, _place(s.cell, s.name), s.component, _why(s)) for s in plan.steps]
    text = table(("", "step", "component", "why"), rows)
    lines = [paint(f"{plan.study}: {counts}", "bold"), *_coloured(text), *_outlooks(plan)]
    return "\n".join([*lines, *(f"warning: {warning}" for warning in plan.warnings)])


def summary_text(run: Run) -> str:
    """Every step with what became of it and its seconds, the verdicts, where the page is."""
    record = run.record
    head = f"{record['study']}: {record['status']} in {record['seconds']:.1f} s"
    lines = [paint(head, "bold"), *_coloured(_indented(_steps(record)))]
    verdicts = list(_verdicts(run))
    if verdicts:
        lines += [paint("verdicts", "bold"), *_coloured(_indented(verdicts))]
    lines += [f"page: {near(page)}" for page in _pages(run)]
    return "\n".join([*lines, f"run: {near(_latest(run))}"])


def explanation_text(explanation: Explanation) -> str:
    """Why one step of one cell ran or was reused, and everything its key was made from."""
    done = SPOKEN.get(explanation.status, explanation.status)
    took = f" in {explanation.seconds:.1f} s" if explanation.seconds else ""
    lines = [paint(f"{_place(explanation.cell, explanation.step)}: {done}{took}", "bold")]
    lines += [f"  because {reason}" for reason in explanation.reasons]
    lines += [f"  warning: {warning}" for warning in explanation.warnings]
    lines += [f"  error: {explanation.error}"] if explanation.error else []
    lines.append(f"  component: {explanation.component}, of plugin {explanation.plugin}")
    if explanation.key:
        lines.append(f"  key: {explanation.key}")
        recipe = json.dumps(dict(explanation.recipe), indent=2, ensure_ascii=False)
        lines += ["  made from:", *(f"    {line}" for line in recipe.splitlines())]
    return "\n".join(lines)


def _outlooks(plan: Plan) -> list[str]:
    """What steps will about take, with what the seconds rest on; no line where none can tell."""
    told = [(_place(step.cell, step.name), step) for step in plan.steps if step.outlook]
    if not told:
        return []
    runtime = next(iter(plan.cells.values())).study.runtime
    threads = threads_of(runtime)
    speed = f"{FLOPS_OF_A_CORE / 1e9:g} GFLOP/s in {threads} thread{'s each' * (threads > 1)}"
    timed = any(step.outlook and step.outlook.seconds is not None for _, step in told)
    basis = f"times at {speed}" if timed else "no times, which depend on the accelerator"
    width = max(len(place) for place, _ in told)
    head = paint(f"estimates ({basis})", "bold")
    return [head, *(f"  {place.ljust(width)}  {step.outlook}" for place, step in told)]


def _place(cell: str, step: str) -> str:
    return "/".join(filter(None, (cell, step)))


def _why(step: PlannedStep) -> str:
    return "; ".join(step.reasons)


def _steps(record: Any) -> list[tuple[str, str, str]]:
    rows = []
    for cell, facts in record["cells"].items():
        for name, step in facts["steps"].items():
            done = SPOKEN.get(step["status"], step["status"])
            took = f"{step['seconds']:.1f} s" if done == "ran" else ""
            rows.append((done, _place(cell, name), took))
    return rows


def _verdicts(run: Run) -> Iterator[tuple[str, str, str]]:
    for cell, part in run.cells.items():
        for name, verdict in part.verdicts.items():
            yield verdict.verdict, _place(cell, name), verdict.evidence or verdict.reason


def _pages(run: Run) -> list[Path]:
    pages = (_latest(run) / cell / PAGE for cell in run.cells)
    return [page for page in pages if page.exists()]


def _latest(run: Run) -> Path:
    """The run's folder by its lasting name, if it is the latest."""
    latest = run.folder.parent / LATEST
    return latest if latest.resolve() == run.folder.resolve() else run.folder


def _indented(rows: list[tuple[str, str, str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = (
        f"  {first.ljust(widths[0])}  {second.ljust(widths[1])}  {third}".rstrip()
        for first, second, third in rows
    )
    return "\n".join(lines)


def _coloured(text: str) -> list[str]:
    """The lines, each with its first word in the colour of what it says."""
    lines = []
    for line in text.splitlines():
        word = line.split(maxsplit=1)[0] if line.strip() else ""
        painted = paint(word, COLOURS[word]) if word in COLOURS else word
        lines.append(line.replace(word, painted, 1) if word else line)
    return lines
