"""Features: every label with what it rests on, beside what stands against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl

from studyrun_report.blocks import Block, Section, Table, Text
from studyrun_report.labelling import Labelling, labellings
from studyrun_report.labels import MEANINGS, labelled, shortage
from studyrun_report.pages.features import features
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, table_of
from studyrun_report.writing.text import harmless, share

__all__ = ["section"]

VERDICTS = (
    Spec("verdict", "Verdict"),
    Spec("features", "Features", "count"),
    Spec("meaning", "Meaning"),
)
COMMON: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "verdict": ("verdict {}", str),
    "evidence": ("counted on: {}", str),
    "untrained_rate": ("of the untrained model's features {} are labelled", share),
}
"""What is said once below a table whose labelled rows all have one value there."""


def section(source: Source) -> Section | None:
    """The features of every labelling of the study."""
    blocks = tuple(_blocks(source))
    lead = (
        "A label is worth what it rests on. Beside each stand the rate among the feature's "
        "problems against that of comparable problems and of all, and how often the same "
        "procedure labels what should have no label. Every feature has a page of its own."
    )
    return Section("features", "Features", blocks, lead) if blocks else None


def _blocks(source: Source) -> Iterator[Block]:
    for of in labellings(source):
        yield from _labelling(of)


def _labelling(of: Labelling) -> Iterator[Block]:
    source, stored, labels = of.source, of.stored, of.table
    named = labelled(labels)
    meta = stored.artifact.meta
    by = f" by {meta['classifier']}" if "classifier" in meta else ""
    many = f"{named.height} of {labels.height} features are labelled{by}"
    on = f" on {meta['n_problems']} {meta['split']} problems" if "n_problems" in meta else ""
    yield Text(harmless(source.named(stored, f"{many}{on}") + "."))
    yield from _short(labels)
    yield from _verdicts(source, stored, labels)
    yield features(of, note=_common(named))


def _short(labels: pl.DataFrame) -> Iterator[Text]:
    """The `insufficient` ones, summed up with what it would take."""
    found = shortage(labels)
    if found is None or not found.n:
        return
    several = f"{found.n} features are active on too few problems to say what they encode"
    silent = f"{found.silent} of them on none at all" if found.silent else ""
    needed = (
        f"those that are active need {found.active_needed} active problems in the median, or "
        f"{found.problems_needed} problems in all at the frequencies seen"
        if found.active_needed is not None and found.problems_needed is not None
        else ""
    )
    yield Text("; ".join(part for part in (several, silent, needed) if part) + " (see Limits).")


def _common(shown: pl.DataFrame) -> str:
    """What holds of all features shown."""
    said = [
        words.format(write(shown[name][0]))
        for name, (words, write) in COMMON.items()
        if name in shown.columns and shown[name].n_unique() == 1 and shown[name][0] is not None
    ]
    return harmless(f"All labelled ones: {'; '.join(said)}.") if said else ""


def _verdicts(source: Source, stored: Stored, labels: pl.DataFrame) -> Iterator[Table]:
    """How many features came to each verdict, labelled or not."""
    if "verdict" not in labels.columns or labels.is_empty():
        return
    order = pl.col("verdict").replace_strict(
        dict(zip(MEANINGS, range(99), strict=False)), default=99
    )
    counts = labels.group_by("verdict").len("features").sort(order, "verdict")
    meaning = pl.col("verdict").replace_strict(MEANINGS, default=None, return_dtype=pl.String)
    caption = source.named(stored, "Features by verdict")
    frame = counts.with_columns(meaning=meaning)
    yield table_of(frame, VERDICTS, id=f"{stored.slug}-verdicts", caption=caption)
