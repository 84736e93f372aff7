"""Limits: what could not be said, and how many problems it would take."""

from __future__ import annotations

from collections.abc import Iterator

from studyrun_report.blocks import Block, Section, Text
from studyrun_report.label_table import shortage, too_few
from studyrun_report.labelling import link_to
from studyrun_report.sections.given import is_from_file, misfits
from studyrun_report.sections.shortfalls import shortfalls
from studyrun_report.sections.verdicts import verdicts
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, first_of, linked, table_of
from studyrun_report.writing.text import harmless

__all__ = ["section"]

SHOWN = 20
INSUFFICIENT = (
    Spec("feature", "Feature", "count"),
    Spec("rank", "Rank", "count"),
    Spec("concept", "Closest concept", about="The undecided concept with the smallest p-value"),
    Spec("n_active", "Active", "count", "Problems on which it is active"),
    Spec("rate", "Rate", "share", "Share of them that have the concept", of="n_with/n"),
    Spec("expected_rate", "Expected", "share", "The rate expected of comparable problems"),
    Spec("base_rate", "Base rate", "share"),
    Spec("q", "q", "probability"),
    Spec("n_needed", "Active needed", "count",
         "Active problems needed to find the observed effect, or the smallest one that makes a "
         "label, with the power that the study asks for"),
    Spec("problems_needed", "Problems needed", "count",
         "As many problems as would make the feature active so often, at its frequency"),
)  # fmt: skip


def section(source: Source) -> Section:
    """Everything that was insufficient, inconclusive or left out."""
    blocks = (
        *misfits(source),
        *_inconclusive(source),
        *(block for stored in source.of_type("labels") for block in _features(source, stored)),
        *_without_edits(source),
        *shortfalls(source),
        *_left_out(source),
    )
    nothing = Text("Nothing was insufficient, inconclusive or left out.")
    return Section("limits", "Limits", blocks or (nothing,))


def _inconclusive(source: Source) -> Iterator[Text]:
    for found in verdicts(source):
        if found.verdict == "inconclusive":
            evidence = f" ({found.evidence})" if found.evidence else ""
            why = f"{found.reason}{evidence}"
            yield Text(f"The hypothesis {found.hypothesis} is inconclusive: {why}.")


def _features(source: Source, stored: Stored) -> Iterator[Block]:
    labels = stored.table
    short = None if labels is None else shortage(labels)
    if labels is None or short is None or not short.n:
        return
    said = too_few(short, labels)
    yield Text(harmless(source.named(stored, said.removesuffix(".")) + ".", 1000))
    first = short.features.head(SHOWN)
    caption = source.named(stored, "Features with too few problems, closest to a label first")
    identity = f"{stored.slug}-insufficient"
    specs = linked(INSUFFICIENT, link_to(source, stored))
    table = table_of(first, specs, id=identity, caption=caption, folded=True)
    yield first_of(table, short.features.height)


def _without_edits(source: Source) -> Iterator[Text]:
    for stored in source.of_type("effects"):
        reason = stored.artifact.meta.get("reason")
        if reason and stored.table is not None and stored.table.is_empty():
            yield Text(f"{harmless(stored.step)} made no edit: {harmless(reason)}.")


def _left_out(source: Source) -> Iterator[Text]:
    for name, what in (
        ("malformed", "parts of problems could not be read"),
        ("excluded", "problems were left out because"),
    ):
        for stored in source.stored:
            frame = stored.other(name)
            if frame is not None and frame.height:
                table = harmless(f"{stored.step}_{name}")
                reason = f" {_why(stored)}" if name == "excluded" else ""
                yield Text(f"{frame.height} {what}{reason}; they are listed in the table {table}.")


def _why(stored: Stored) -> str:
    if is_from_file(stored):
        return "the file has no usable row of them"
    return "the model could not take them"
