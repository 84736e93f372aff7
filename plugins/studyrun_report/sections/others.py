"""Other results: what this report has no section for, shown as it is."""

from __future__ import annotations

from collections.abc import Iterator

from studyrun_report.blocks import Block, Section, Text
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import generic
from studyrun_report.writing.text import harmless

__all__ = ["section"]

TOLD = ("problems", "activations", "sae", "feature-acts", "labels", "portraits", "coactivation",
        "effects", "probes", "verdicts", "report")  # fmt: skip
"""Types that other sections speak of."""


def section(source: Source) -> Section | None:
    """The first rows of the tables of every other artifact."""
    others = [stored for stored in source.stored if stored.type not in TOLD]
    blocks = tuple(block for stored in others for block in _blocks(stored, source.params.rows))
    lead = "Artifacts of types that the report knows nothing of: the first rows of their tables."
    return Section("others", "Other results", blocks, lead) if blocks else None


def _blocks(stored: Stored, rows: int) -> Iterator[Block]:
    made = harmless(f"{stored.step}: {stored.type} by {stored.artifact.manifest.made_by}")
    if not stored.artifact.table_names:
        yield Text(f"{made}; it holds no table.")
    for name in stored.artifact.table_names:
        frame = stored.other(name)
        assert frame is not None
        caption = made if name == "table" else f"{made}; table {harmless(name)}"
        yield generic(frame, id=f"{stored.slug}-{name}", caption=caption, rows=rows)
