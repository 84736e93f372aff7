"""The facts of a report: every number on the page, once; pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from studyrun import __version__
from studyrun_report.blocks import Facts, Term
from studyrun_report.labels import NEEDED, labelled
from studyrun_report.sections import (
    agreement,
    controls,
    distribution,
    effects,
    features,
    limits,
    others,
    provenance,
    quality,
    specificity,
    study,
    swap_protocol,
    swaps,
    verdicts,
)
from studyrun_report.source import Source
from studyrun_report.text import harmless

__all__ = ["as_json", "facts"]

SECTIONS = (verdicts, study, quality, distribution, features, controls, agreement, swaps, effects,
            swap_protocol, specificity, others, limits, provenance)  # fmt: skip
"""In the order of the page."""


def facts(source: Source) -> Facts:
    """The record of which page, text and pictures are views."""
    name = harmless(str(source.study.get("study") or "study"), 120)
    sections = (each.section(source) for each in SECTIONS)
    return Facts(
        title=harmless(source.params.title or name, 120),
        study=name,
        about=harmless(str(source.study.get("about") or ""), 2000),
        summary=tuple(_summary(source)),
        sections=tuple(section for section in sections if section is not None),
        written_by=f"studyrun {__version__}",
    )


def _summary(source: Source) -> Iterator[Term]:
    judged = verdicts.verdicts(source)
    if judged:
        yield Term("Hypotheses", verdicts.count(judged))
    for stored in source.of_type("labels"):
        if stored.has(*NEEDED) and stored.table is not None:
            many = f"{labelled(stored.table).height} of {stored.table.height}"
            yield Term(harmless(source.named(stored, "Labelled features")), many)
        permuted = controls.under_permutation(stored)
        if permuted:
            yield Term(harmless(source.named(stored, "The same with labels permuted")), permuted)
    explained = quality.explained_variance(source)
    if explained:
        yield Term("Explained variance", harmless(explained))
    for stored in source.of_type("problems"):
        if stored.table is not None:
            yield Term(harmless(source.named(stored, "Problems")), str(stored.table.height))


def as_json(found: Facts) -> dict[str, Any]:
    """The record as JSON values."""
    return dataclasses.asdict(found)
