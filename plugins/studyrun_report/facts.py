"""The facts of a report: every number on the page, once; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from studyrun import __version__
from studyrun_report import custom
from studyrun_report.blocks import Block, Facts, Features, Rows, Section, Table, Term, changed
from studyrun_report.drawing.palette import ordered
from studyrun_report.effects.largest import largest_effects
from studyrun_report.label_table import NEEDED, labelled
from studyrun_report.sections import (
    agreement,
    coactivation,
    controls,
    decodable,
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
from studyrun_report.source import Source, Stored
from studyrun_report.writing.text import harmless

__all__ = ["facts"]

FIRST = (verdicts, study, quality, decodable, distribution, features, effects, specificity, swaps,
         swap_protocol, coactivation, controls, agreement, others)  # fmt: skip
LAST = (limits, provenance)
"""In the order of the page; sections of third parties stand between the two."""


def facts(source: Source) -> Facts:
    """The record of which page, text and pictures are views.

    Raises:
        PluginError: a section of a third party fails.
    """
    name = harmless(str(source.study.get("study") or "study"), 120)
    found = (
        *(each.section(source) for each in FIRST),
        *custom.sections(source),
        *(each.section(source) for each in LAST),
    )
    sections = tuple(section for section in found if section is not None)
    return Facts(
        title=harmless(source.params.title or name, 120),
        study=name,
        about=harmless(str(source.study.get("about") or ""), 2000),
        summary=tuple(_summary(source)),
        sections=tuple(_linked(sections)),
        written_by=f"studyrun {__version__}",
    )


def _summary(source: Source) -> Iterator[Term]:
    judged = verdicts.verdicts(source)
    if judged:
        yield Term("Hypotheses", verdicts.count(judged))
    for stored in source.of_type("labels"):
        yield from _labels(source, stored)
    for title, explained in quality.explained_variances(source):
        yield Term(harmless(title), harmless(explained))
    for stored in source.of_type("problems"):
        if stored.table is not None:
            yield Term(harmless(source.named(stored, "Problems")), str(stored.table.height))
    largest = largest_effects(source)
    if largest:
        yield Term("Effects", largest)


def _labels(source: Source, stored: Stored) -> Iterator[Term]:
    """How many features are labelled, as what, and how many by chance."""
    if stored.has(*NEEDED) and stored.table is not None:
        named = labelled(stored.table)
        many = f"{named.height} of {stored.table.height}"
        yield Term(harmless(source.named(stored, "Labelled features")), many)
        if named.height:
            yield Term(harmless(source.named(stored, "Kinds")), _kinds(named))
    permuted = controls.under_permutation(stored)
    if permuted:
        yield Term(harmless(source.named(stored, "The same with labels permuted")), permuted)


def _kinds(named: pl.DataFrame) -> str:
    """`29 operation, 73 value`: the labelled features by kind."""
    counts = dict(named["kind"].value_counts().iter_rows())
    return harmless(", ".join(f"{counts[kind]} {kind}" for kind in ordered(sorted(counts))))


# Links that lead nowhere


def _linked(sections: Iterable[Section]) -> Iterator[Section]:
    """The sections without links to what the record does not hold."""
    there = set(_ids(sections := tuple(sections)))
    for section in sections:
        yield changed(section, blocks=tuple(_block(block, there) for block in section.blocks))


def _ids(sections: Iterable[Section]) -> Iterator[str]:
    for section in sections:
        yield section.id
        for block in section.blocks:
            yield getattr(block, "id", "")
            if isinstance(block, Features):
                yield from (page.id for page in block.pages)


def _block(block: Block, there: set[str]) -> Block:
    if isinstance(block, Table):
        return changed(block, rows=_rows(block.rows, there))
    if isinstance(block, Features):
        pages = tuple(
            changed(page, tables={name: _rows(rows, there) for name, rows in page.tables.items()})
            for page in block.pages
        )
        return changed(block, rows=_rows(block.rows, there), pages=pages)
    return block


def _rows(rows: Rows, there: set[str]) -> Rows:
    if all(not cell.link or cell.link in there for row in rows for cell in row):
        return rows
    return tuple(
        tuple(
            changed(cell, link="") if cell.link and cell.link not in there else cell for cell in row
        )
        for row in rows
    )
