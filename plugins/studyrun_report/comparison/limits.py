"""Limits: what could not be compared, and why."""

from __future__ import annotations

from collections.abc import Iterator

from studyrun_report.blocks import Block, Section, Text
from studyrun_report.comparison.cases import Case, Cases
from studyrun_report.comparison.measures import labelling, quality
from studyrun_report.writing.text import harmless

__all__ = ["section"]

SHOWN = 50
LONGEST = 300


def section(cases: Cases) -> Section:
    """A sentence for each thing that is not there."""
    said = [sentence for each in cases.cases for sentence in _of(each)]
    blocks: list[Block] = [Text(text) for text in said[:SHOWN]]
    if len(said) > SHOWN:
        blocks.append(Text(f"{len(said) - SHOWN} more of the kind."))
    if not said:
        blocks.append(Text("Every step of every cell could be read."))
    return Section("limits", "Limits", tuple(blocks))


def _of(case: Case) -> Iterator[str]:
    for step, why in case.missing.items():
        yield harmless(f"{case.name}: step {step} is not compared: {why}", LONGEST)
    source = case.source
    if quality(source) is None:
        yield f"{case.name}: no SAE whose quality was measured."
    if labelling(source) is None:
        yield f"{case.name}: no labels."
    for type_name, what in (("sae", "SAEs"), ("labels", "labellings")):
        steps = [stored.step for stored in source.of_type(type_name)]
        if len(steps) > 1:
            yield harmless(f"{case.name}: of its {what} {', '.join(steps)} the first is compared.")
