"""Views of what a run will do (plan), and why it did what it did (explanation)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from studyrun.cli.terminal import paint, table, visible
from studyrun.estimates import FLOPS_OF_A_CORE, threads_of

if TYPE_CHECKING:
    from studyrun.plan import Plan, PlannedStep
    from studyrun.runs import Explanation

__all__ = ["COLOURS", "coloured", "explanation_text", "place_of", "plan_text", "spoken"]

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


def plan_text(plan: Plan) -> str:
    """Per step run, reuse or blocked, and why."""
    counts = ", ".join(f"{plan.count(action)} {action}" for action in ("run", "reuse", "blocked"))
    rows = [(s.action, place_of(s.cell, s.name), s.component, _why(s)) for s in plan.steps]
    text = table(("", "step", "component", "why"), rows)
    lines = [paint(f"{plan.study}: {counts}", "bold"), *coloured(text), *_outlooks(plan)]
    return "\n".join([*lines, *(f"warning: {warning}" for warning in plan.warnings)])


def explanation_text(explanation: Explanation) -> str:
    """Why one step of one cell ran or was reused, and everything its key was made from."""
    done = spoken(explanation.status)
    took = f" in {explanation.seconds:.1f} s" if explanation.seconds else ""
    if explanation.together > 1:
        took += f", its share of the time that {explanation.together} steps took together"
    lines = [paint(f"{place_of(explanation.cell, explanation.step)}: {done}{took}", "bold")]
    lines += [f"  because {reason}" for reason in explanation.reasons]
    lines += [f"  warning: {warning}" for warning in explanation.warnings]
    lines += [f"  error: {visible(explanation.error)}"] if explanation.error else []
    lines.append(f"  component: {explanation.component}, of plugin {explanation.plugin}")
    if explanation.key:
        lines.append(f"  key: {explanation.key}")
        recipe = json.dumps(dict(explanation.recipe), indent=2, ensure_ascii=False)
        lines += ["  made from:", *(f"    {line}" for line in recipe.splitlines())]
    return "\n".join(lines)


def _outlooks(plan: Plan) -> list[str]:
    """What steps will about take, with what the seconds rest on; no line where none can tell."""
    told = [(place_of(step.cell, step.name), step) for step in plan.steps if step.outlook]
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


def spoken(status: str) -> str:
    """What people are told of a step with this status in the record."""
    return SPOKEN.get(status, status)


def place_of(cell: str, step: str) -> str:
    """`k=4/sums`; the step alone where there is no matrix."""
    return "/".join(filter(None, (cell, step)))


def _why(step: PlannedStep) -> str:
    others = [f"with {step.others} other{'s' * (step.others > 1)}"] if step.others else []
    return "; ".join([*step.reasons, *others])


def coloured(text: str) -> list[str]:
    """The lines, each with its first word in the colour of what it says."""
    lines = []
    for line in text.splitlines():
        word = line.split(maxsplit=1)[0] if line.strip() else ""
        painted = paint(word, COLOURS[word]) if word in COLOURS else word
        lines.append(line.replace(word, painted, 1) if word else line)
    return lines
