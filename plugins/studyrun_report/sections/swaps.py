"""Swap pairs: which two features could be exchanged, and what a test of it could see."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from studyrun_report.blocks import Block, Section, Text
from studyrun_report.labelling import link_to
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, first_of, linked, table_of
from studyrun_report.writing.text import harmless

__all__ = ["section"]

NEEDED = ("feature_a", "feature_b")
TABLE = (
    Spec("feature_a", "Feature", "count", beneath=("label_a", "text", "{}")),
    Spec("feature_b", "With feature", "count", beneath=("label_b", "text", "{}")),
    Spec("kind", "Kind"),
    Spec("n_a", "Active", "count", "Problems on which the first feature is active"),
    Spec("n_b", "Other active", "count", "Problems on which the second one is active"),
    Spec("n_both", "Both active", "count", "Problems on which both are, of those on which any is",
         beneath=("n_any", "count", "of {}")),
    Spec("n_testable", "With a direction", "count",
         "Problems on which one of the two is active and exactly one of their concepts holds: only "
         "there does a swap say which way the answer should move"),
    Spec("n_needed", "Needed", "count", "So many of them the test that the study asks for takes"),
    Spec("power", "Power", "share", "The probability that this test finds an effect of that size"),
    Spec("testable", "Testable"),
    Spec("reason", "Why not"),
)  # fmt: skip


def section(source: Source) -> Section | None:
    """The candidates of every labelling, or why there is none."""
    blocks = tuple(
        block for stored in source.of_type("labels") for block in _blocks(source, stored)
    )
    lead = (
        "A swap exchanges two features of one kind with different labels. It can be tested on "
        "problems where it has a direction; the power says whether they are enough."
    )
    return Section("swap-pairs", "Swap pairs", blocks, lead) if blocks else None


def _blocks(source: Source, stored: Stored) -> Iterator[Block]:
    reason = stored.artifact.meta.get("swap_pairs")
    if reason:
        yield Text(harmless(source.named(stored, _sentence(str(reason)))))
    pairs = stored.having("swap_pairs", *NEEDED)
    if pairs is None:
        return
    shown = _with_any(pairs).head(source.params.rows)
    caption = source.named(stored, "Pairs of labelled features, the best candidates first")
    specs = linked(TABLE, link_to(source, stored))
    table = table_of(shown, specs, id=f"{stored.slug}-swap-pairs", caption=caption)
    yield first_of(table, pairs.height)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def _with_any(pairs: pl.DataFrame) -> pl.DataFrame:
    """With `n_any`, on how many problems at least one of the two is active."""
    counts = ("n_a", "n_b", "n_both")
    if not set(counts) <= set(pairs.columns):
        return pairs
    a, b, both = (pl.col(name).cast(pl.Int64) for name in counts)
    return pairs.with_columns(n_any=a + b - both)
