"""Verdicts: what was claimed before the run, and what came of it."""

from __future__ import annotations

from collections import Counter

from studyrun_report.blocks import Section, Text, Verdict, Verdicts
from studyrun_report.source import Source
from studyrun_report.writing.text import harmless

__all__ = ["JUDGEMENTS", "count", "section", "verdicts"]

FIELDS = ("hypothesis", "claim", "given", "expect", "verdict", "reason", "evidence")
JUDGEMENTS = ("supported", "refuted", "inconclusive")
SQL_LENGTH = 2000


def section(source: Source) -> Section | None:
    """The hypotheses with their verdicts; says so where the study has none."""
    found = verdicts(source)
    if found:
        lead = (
            "Each hypothesis was part of the study before the run. Its verdict is computed from "
            "the tables by the SQL shown: supported or refuted where the evidence that it asks "
            "for is there, inconclusive where it is not."
        )
        return Section("verdicts", "Verdicts", (Verdicts(found),), lead)
    if source.study.get("hypotheses"):
        text = "The hypotheses of the study were not judged before this report was written."
    else:
        text = "The study states no hypotheses, so nothing here is a verdict."
    return Section("verdicts", "Verdicts", (Text(text),))


def verdicts(source: Source) -> tuple[Verdict, ...]:
    """All verdicts, in the study's order."""
    return tuple(
        Verdict(**{name: harmless(row[name] or "", SQL_LENGTH) for name in FIELDS})
        for stored in source.of_type("verdicts")
        if stored.has(*FIELDS) and stored.table is not None
        for row in stored.table.select(FIELDS).iter_rows(named=True)
    )


def count(found: tuple[Verdict, ...]) -> str:
    """`2 supported, 1 refuted`."""
    counts = Counter(each.verdict for each in found)
    return ", ".join(f"{counts[name]} {name}" for name in JUDGEMENTS if counts[name])
