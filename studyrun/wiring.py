"""A study with its components: nodes in the order in which they run, each with its inputs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from studyrun import params
from studyrun.diagnostics import Diagnostic, Place
from studyrun.errors import InvalidStudy, StudyError
from studyrun.faults.findings import Finding
from studyrun.faults.suggest import nearest
from studyrun.nodes import Node
from studyrun.reading import sql
from studyrun.reading.document import KeyPath, path_text
from studyrun.reading.links import Link, Slot, link
from studyrun.reading.wanted import with_wanted
from studyrun.study import StepSpec, Use
from studyrun.variants import with_variants

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from studyrun.contracts import Bound, Component, ModelFacts
    from studyrun.registry import Registry
    from studyrun.study import Hypothesis, Study

__all__ = [
    "DATA",
    "VERDICTS",
    "Models",
    "Wiring",
    "nodes_of",
    "place_verdicts",
    "slot_of",
    "steps_read",
    "tables_named",
    "wire",
    "wire_cells",
]

DATA = "data"
VERDICTS = "verdicts"
tables_named = cache(sql.tables_named)
"""Remembered, because every cell of a matrix asks again."""


@dataclass(frozen=True, slots=True, eq=False)
class Wiring:
    """A study ready to be planned."""

    study: Study
    """With the steps that it does not write, as if it did."""
    nodes: tuple[Node, ...]
    """In an order in which they can run; clones stand before the step that asks for them."""
    model: Bound | None = None
    """The study's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """What is known of models; each is asked once, because that reads its weights."""

    registry: Registry
    known: dict[str, ModelFacts | StudyError] = field(default_factory=dict)

    def facts(self, model: Bound) -> ModelFacts:
        """What is known of a model, however often it was bound.

        Raises:
            StudyError: its files cannot be read.
        """
        key = json.dumps([model.component.name, params.to_builtins(model.params)])
        if key not in self.known:
            try:
                self.known[key] = self.registry.facts(model)
            except StudyError as error:
                self.known[key] = error
        found = self.known[key]
        if isinstance(found, StudyError):
            raise found
        return found

    def find(self, model: Bound) -> ModelFacts | None:
        """The same; None where its files cannot be read, which blocks the steps that take it."""
        try:
            return self.facts(model)
        except StudyError:
            return None


def wire(study: Study, registry: Registry) -> Wiring:
    """The study's nodes with typed parameters and their inputs.

    Raises:
        InvalidStudy: it cannot be wired (validation says so earlier, and with places).
        PluginError, UsageError: a component cannot be used (likewise).
    """
    return wire_cells([study], registry)[study.cell]


def wire_cells(cells: Sequence[Study], registry: Registry) -> dict[str, Wiring]:
    """Every cell wired, by name; a model that they share is asked for its facts once."""
    models = Models(registry)
    return {cell.cell: _wire(cell, registry, models) for cell in cells}


def _wire(study: Study, registry: Registry, models: Models) -> Wiring:
    bound = _bound(study, registry)
    slots = _slots(study, bound, registry)
    links, faults = link(slots)
    links, late = place_verdicts(links, study.hypotheses)
    _demand(study, [*faults, *late])
    study = _as_written(study, slots)
    bound |= {slot.name: registry.bind("step", slot.use) for slot in slots if slot.wanted_by}
    if study.hypotheses:
        bound[VERDICTS] = registry.bind("step", VERDICTS)
    model = registry.bind("model", study.model.ref, study.folder) if study.model else None
    known = models.find(model) if model else None
    nodes = nodes_of(links, bound, model, known)
    facts = models.facts if known else models.find  # of other weights too, nothing is known
    all_nodes, unfit = with_variants(nodes, registry, study.folder, facts)
    _demand(study, unfit)
    return Wiring(study, all_nodes, model)


def _demand(study: Study, faults: Sequence[Finding]) -> None:
    if faults:
        raise InvalidStudy([_unplaced(study, finding) for finding in faults])


def _bound(study: Study, registry: Registry) -> dict[str, Bound]:
    bound = {}
    if study.data is not None:
        bound[DATA] = registry.bind("data", study.data.ref, study.folder)
    for step in study.steps:
        bound[step.name] = registry.bind("step", step.use.ref, study.folder)
    return bound


def _slots(study: Study, bound: Mapping[str, Bound], registry: Registry) -> list[Slot]:
    """The study's steps, and those that they want, which it does not write."""
    needs = {step.name: step.needs for step in study.steps}
    slots = [slot_of(name, each.component, needs.get(name)) for name, each in bound.items()]

    def wants(slot: Slot) -> list[Slot]:
        chosen = bound.get(slot.name) or registry.bind("step", slot.use)
        return [slot_of(each.name, each) for each in registry.wants(chosen)]

    return with_wanted(slots, wants, model=study.model is not None)


def slot_of(name: str, component: Component, needs: tuple[str, ...] | None = None) -> Slot:
    """What a component takes and makes, under a step's name."""
    use = component.name if component.kind == "step" else ""
    return Slot(name, component.takes, component.makes, needs, use)


def _as_written(study: Study, slots: Sequence[Slot]) -> Study:
    """The study with the steps that it does not write, and where others show its own."""
    own = {step.name: step for step in study.steps}
    if [slot.name for slot in slots if slot.name != DATA] == [*own]:
        return study
    steps = (own.get(slot.name) or StepSpec(slot.name, Use(slot.use), slot.needs) for slot in slots)
    return replace(study, steps=tuple(step for step in steps if step.name != DATA))


def nodes_of(
    links: Sequence[Link],
    bound: Mapping[str, Bound],
    model: Bound | None,
    facts: ModelFacts | None,
) -> list[Node]:
    """The linked slots with their components; those that take the model with that, too."""
    nodes: list[Node] = []
    for each in links:
        name, takes = each.slot.name, each.slot.takes
        given = [node.name for node in nodes if "*" in takes or node.name in each.named]
        taken = (model, facts) if {"model", "model?"} & {*takes} else (None, None)
        earlier = {other: other for other in given}
        nodes.append(
            Node(
                name, bound[name], each.inputs, earlier, {}, *taken,
                uses_study="study" in takes, wanted_by=each.slot.wanted_by,
            )
        )  # fmt: skip
    return nodes


def place_verdicts(
    links: Sequence[Link], hypotheses: Sequence[Hypothesis]
) -> tuple[list[Link], list[Finding]]:
    """The links with the verdicts before the first step that takes everything, or at the end.

    A hypothesis that reads a table of a later step, or of none, is a fault.
    """
    if not hypotheses:
        return list(links), []
    names = [each.slot.name for each in links]
    at = next((i for i, each in enumerate(links) if "*" in each.slot.takes), len(links))
    read: list[str] = []
    faults = []
    for hypothesis in hypotheses:
        for part, table in _tables(hypothesis):
            owners = _owners(table, names)
            read += owners
            if not owners or not set(owners) <= set(names[:at]):
                path = ("hypotheses", hypothesis.name, part)
                faults.append(_wrong_table(path, table, owners, names[:at], links[at:]))
    above = {each.slot.name: each.ancestors for each in links}
    ancestors = frozenset(read).union(*(above[name] for name in read))
    verdicts = Link(Slot(VERDICTS, ("study",), VERDICTS), {}, ancestors, tuple(read))
    return [*links[:at], verdicts, *links[at:]], faults


def _wrong_table(
    path: KeyPath, table: str, owners: list[str], names: Sequence[str], later: Sequence[Link]
) -> Finding:
    if owners:
        message = f"{later[0].slot.name!r} takes everything before it, and {table!r} comes later"
        return Finding(path, message, "hypothesis", within=table)
    near = "".join(nearest(table, names)[:1])
    message = f"there is no table {table!r}; tables are called like the steps"
    return Finding(path, message, "hypothesis", None, tuple(names), near, within=table)


def _tables(hypothesis: Hypothesis) -> Iterator[tuple[str, str]]:
    for part, text in (("given", hypothesis.given), ("expect", hypothesis.expect)):
        for table in tables_named(text or ""):
            yield part, table


def steps_read(hypotheses: Sequence[Hypothesis], names: Sequence[str]) -> list[str]:
    """Those of the nodes that may have made a table that a hypothesis reads, each once."""
    read = (each for hypothesis in hypotheses for _, each in _tables(hypothesis))
    return list(dict.fromkeys(name for table in read for name in _owners(table, names)))


def _owners(table: str, names: Sequence[str]) -> list[str]:
    """The nodes that may have made a table: `labels` or (its `top`) `labels_top`, in any case."""
    name = table.casefold()
    return [n for n in names if name == n.casefold() or name.startswith(f"{n.casefold()}_")]


def _unplaced(study: Study, finding: Finding) -> Diagnostic:
    """For a study that was made in Python, and stands in no file."""
    return Diagnostic(
        Place(f"study {study.name}"),
        path_text(finding.path),
        finding.message,
        code=finding.code,
        allowed=finding.allowed,
        suggestion=finding.suggestion,
    )
