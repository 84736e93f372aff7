"""Features: every label with what it rests on, beside what stands against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl

from studyrun_report.blocks import Block, Section, Table, Text
from studyrun_report.label_table import MEANINGS, labelled, shortage, too_few
from studyrun_report.labelling import Labelling, labellings
from studyrun_report.pages.features import features
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, table_of
from studyrun_report.writing.text import harmless, share

__all__ = ["section"]

LEAD = (
    "A label is worth what it rests on. Beside each stand the rate among the feature's problems "
    "against that of comparable problems and of all, and how often the same procedure labels what "
    "should have no label."
)
PLAIN = "How often and how strongly each feature is active, and which other one is nearest to it."
VERDICTS = (
    Spec("verdict", "Verdict"),
    Spec("features", "Features", "count"),
    Spec(
        "short",
        "Too few problems",
        "count",
        "Those of them of which there are too few problems to say what they encode: their kind is "
        "insufficient",
    ),
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
    told = any(of.labelled for of in labellings(source))
    pages = " Every feature has a page of its own." if source.params.pages else ""
    lead = (LEAD if told else PLAIN) + pages
    return Section("features", "Features", blocks, lead) if blocks else None


def _blocks(source: Source) -> Iterator[Block]:
    for of in labellings(source):
        yield from _labelling(of) if of.labelled else _portraits(of)


def _portraits(of: Labelling) -> Iterator[Block]:
    """Features that nothing labels."""
    active = of.table.filter(pl.col("n_active") > 0).height
    on = of.stored.problems
    yield Text(harmless(of.source.named(
        of.stored, f"{active} of {of.table.height} features are active on any of {on}"
    ) + "; the study has no step that labels them."))  # fmt: skip
    yield features(of)


def _labelling(of: Labelling) -> Iterator[Block]:
    source, stored, labels = of.source, of.stored, of.table
    named = labelled(labels)
    meta = stored.artifact.meta
    by = f" by {_classifier(str(meta['classifier']))}" if "classifier" in meta else ""
    many = f"{named.height} of {labels.height} features are labelled{by}"
    on = f" on {meta['n_problems']} {meta['split']} problems" if "n_problems" in meta else ""
    yield Text(harmless(source.named(stored, f"{many}{on}") + "."))
    yield from _short(labels)
    yield from _verdicts(source, stored, labels)
    yield features(of, note=_common(named))


def _classifier(name: str) -> str:
    """`enrichment (version 2)` of `enrichment 2`."""
    own, _, version = name.rpartition(" ")
    return f"{own} (version {version})" if own and version.isdecimal() else name


def _short(labels: pl.DataFrame) -> Iterator[Text]:
    """Those of the kind `insufficient`, summed up with what it would take."""
    found = shortage(labels)
    if found is not None and found.n:
        yield Text(harmless(f"{too_few(found, labels)} See Limits.", 1000))


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
    short = (pl.col("kind") == "insufficient").sum()
    counts = labels.group_by("verdict").agg(
        pl.len().alias("features"), short=pl.when(short > 0).then(short)
    ).sort(order, "verdict")  # fmt: skip
    meaning = pl.col("verdict").replace_strict(MEANINGS, default=None, return_dtype=pl.String)
    caption = source.named(stored, "Features by verdict")
    frame = counts.with_columns(meaning=meaning)
    yield table_of(frame, VERDICTS, id=f"{stored.slug}-verdicts", caption=caption)
