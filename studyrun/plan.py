"""The plan: for every step `run`, `reuse` or `blocked`, and why, down to the parameter.

Making a plan reads the store, the latest run's record and the files that a study names; it writes
nothing, creates no folder and imports neither torch nor polars.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from studyrun.errors import ArtifactDamaged, StudyError
from studyrun.estimates import outlook
from studyrun.keys import key_of
from studyrun.nodes import scope_of
from studyrun.running.peers import Peers
from studyrun.running.reasons import differences, why_missing
from studyrun.running.recipes import recipe_of, sources_of, study_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from studyrun.estimates import Outlook
    from studyrun.keys import Recipe
    from studyrun.nodes import Node
    from studyrun.registry import Registry
    from studyrun.running.history import History
    from studyrun.store import Store
    from studyrun.wiring import Wiring

__all__ = ["Action", "Plan", "PlannedStep", "plan"]

Action = Literal["run", "reuse", "blocked"]


@dataclass(frozen=True, slots=True, eq=False)
class PlannedStep:
    """What will happen to one step of one cell, and why."""

    cell: str
    """Empty for a study without a matrix."""
    name: str
    node: Node
    action: Action
    reasons: tuple[str, ...]
    """Never empty."""
    reads: tuple[str, ...]
    """The steps of the same cell that it needs."""
    key: str = ""
    """Empty if it is blocked."""
    recipe: Recipe = field(default_factory=dict)
    """What the key was made from."""
    warnings: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    """`<kind> <component>` -> digest of the source that would compute it."""
    outlook: Outlook | None = None
    """What it will about take, if it will run and its component can tell."""
    others: int = 0
    """With how many steps it will be computed at once, if nothing fails before."""

    @property
    def component(self) -> str:
        """`sae-train 1`: the component and its declared version."""
        return f"{self.node.bound.component.name} {self.node.bound.component.version}"

    def plain(self) -> dict[str, Any]:
        """The facts as JSON, for `plan --format json` and the run's record."""
        return {
            "component": self.component,
            "type": self.node.bound.component.makes,
            "action": self.action,
            "reasons": list(self.reasons),
            "warnings": list(self.warnings),
            "key": self.key,
            "recipe": dict(self.recipe),
            "estimate": self.outlook and self.outlook.plain(),
            "wanted_by": self.node.wanted_by,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Every step of every cell, in the order in which they will be looked at."""

    study: str
    cells: Mapping[str, Wiring]
    """By cell name; one cell with an empty name for a study without a matrix."""
    records: Mapping[str, Mapping[str, Any]]
    """The resolved study of every cell: what steps that take `study` are given."""
    steps: tuple[PlannedStep, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Every warning once, in order."""
        return tuple(dict.fromkeys(text for step in self.steps for text in step.warnings))

    def count(self, action: Action) -> int:
        """How many steps will be run, reused or blocked."""
        return sum(step.action == action for step in self.steps)

    def plain(self) -> dict[str, Any]:
        """The plan as JSON: the study, its warnings, and every step in order."""
        steps = [
            {"cell": s.cell, "step": s.name, **s.plain(), "with_others": s.others}
            for s in self.steps
        ]
        return {"study": self.study, "warnings": list(self.warnings), "steps": steps}


def plan(cells: Mapping[str, Wiring], registry: Registry, store: Store, history: History) -> Plan:
    """What a run of these cells would do.

    Args:
        cells: the wired study by cell name (`{"": wiring}` for a study without a matrix).
        registry: where components come from.
        store: where artifacts are looked for.
        history: the study's latest run, with which reasons compare; `History()` for none.
    """
    records = {cell: study_record(wiring, registry) for cell, wiring in cells.items()}
    planner = _Planner(registry, store, history)
    steps = [
        step for cell, wiring in cells.items() for step in planner.steps(wiring, records[cell])
    ]
    others = Peers(steps, cells).planned(steps)
    steps = [replace(step, others=others.get((step.cell, step.name), 0)) for step in steps]
    study = next(iter(cells.values())).study.name
    return Plan(study, cells, records, tuple(steps))


class _Planner:
    def __init__(self, registry: Registry, store: Store, history: History) -> None:
        self._registry, self._store, self._history = registry, store, history
        self._made: dict[str, tuple[str, str]] = {}
        """key -> the (cell, step) that makes it in this plan."""

    def steps(self, wiring: Wiring, record: Mapping[str, Any]) -> Iterator[PlannedStep]:
        done: dict[str, PlannedStep] = {}
        nodes = {node.name: node for node in wiring.nodes}
        for node in wiring.nodes:
            step = self._step(wiring, node, record, done)
            if step.action == "run":
                step = self._estimated(step, wiring, nodes)
            done[node.name] = step
            yield step

    def _step(
        self,
        wiring: Wiring,
        node: Node,
        record: Mapping[str, Any],
        done: Mapping[str, PlannedStep],
    ) -> PlannedStep:
        cell = wiring.study.cell
        reads = node.reads
        missing = [name for name in reads if done[name].action == "blocked"]
        if missing:
            reasons = tuple(f"needs {name}, which is blocked" for name in missing)
            reasons += self._without_model(node)
            return PlannedStep(cell, node.name, node, "blocked", reasons, reads)
        keys = {name: done[name].key for name in reads}
        try:
            recipe = recipe_of(node, wiring, self._registry, record, keys)
            sources = sources_of(node, self._registry)
        except StudyError as error:
            return PlannedStep(cell, node.name, node, "blocked", (str(error),), reads)
        key = key_of(recipe)
        action, reasons = self._decide(cell, node, key, recipe)
        reasons += (f"{node.wanted_by} shows it",) if node.wanted_by else ()
        self._made.setdefault(key, (cell, node.name))
        warnings = self._drift(key, sources) if action == "reuse" else ()
        return PlannedStep(
            cell, node.name, node, action, reasons, reads, key, recipe, warnings, sources
        )

    def _without_model(self, node: Node) -> tuple[str, ...]:
        """What is missing of the model that a step takes, as if that were all."""
        if node.model is None or node.facts is not None:
            return ()
        try:
            self._registry.facts(node.model)
        except StudyError as error:
            return (str(error),)
        return ()

    def _estimated(
        self, step: PlannedStep, wiring: Wiring, nodes: Mapping[str, Node]
    ) -> PlannedStep:
        """The step with what it will about take; with a warning where asking for it fails."""
        try:
            estimate = self._registry.estimate(step.node.bound, scope_of(step.node, nodes))
        except StudyError as error:
            return replace(step, warnings=(*step.warnings, str(error)))
        if estimate is None:
            return step
        return replace(step, outlook=outlook(estimate, wiring.study.runtime))

    def _decide(
        self, cell: str, node: Node, key: str, recipe: Recipe
    ) -> tuple[Action, tuple[str, ...]]:
        if key in self._made:
            other_cell, other = self._made[key]
            return "reuse", (f"the same as {other}" + (f" in {other_cell}" if other_cell else ""),)
        state, old = self._store.state(key), self._history.step(cell, node.name)
        old = old if old and old.get("key") else None  # blocked steps leave nothing to compare
        if state == "stored" and old is not None and old.get("key") == key:
            return "reuse", ("unchanged since the latest run",)
        why = differences(old.get("recipe") or {}, recipe, node.inputs) if old else []
        if state == "stored":
            return "reuse", (*why, "stored by an earlier run")
        if state == "damaged":
            return "run", ("its stored artifact is damaged",)
        return "run", tuple(why) or (why_missing(old, key),)

    def _drift(self, key: str, sources: Mapping[str, str]) -> tuple[str, ...]:
        """A warning for all code that changed since the artifact was made, but not its version."""
        try:
            made_with = self._store.manifest(key).sources
        except ArtifactDamaged:
            return ()
        drifted = [name for name, new in sources.items() if made_with.get(name, new) != new]
        if not drifted:
            return ()
        return (
            f"the source of {', '.join(drifted)} changed but not the version; what is stored is "
            "reused (raise the version if results would differ)",
        )
