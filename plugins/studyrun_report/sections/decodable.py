"""Decodable: what a linear probe reads off the residuals, beside the same of shuffled targets."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from studyrun_report.blocks import Block, Section, Text
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, first_of, table_of
from studyrun_report.writing.text import harmless, number

__all__ = ["section"]

NEEDED = ("target", "layer", "position", "r2", "shuffled_r2")
MOST = 100
TABLE = (
    Spec("target", "Target"),
    Spec("layer", "Layer", "count"),
    Spec("position", "Position"),
    Spec("n_test", "Problems", "count", "Held out; below it those that the probe was fitted on",
         beneath=("n_train", "count", "fitted on {}")),
    Spec("r2", "R²", "number", "On the held-out problems, with its interval",
         ends=("r2_ci_low", "r2_ci_high")),
    Spec("shuffled_r2", "Shuffled", "number",
         "The same of a probe fitted on targets that were exchanged between problems"),
    Spec("exact", "Exact", "share", "Held-out problems whose number is hit when rounded"),
)  # fmt: skip


def section(source: Source) -> Section | None:
    """Every target at every site."""
    blocks = tuple(
        block for stored in source.of_type("probes") for block in _blocks(source, stored)
    )
    lead = (
        "Numbers of a problem that a ridge regression reads off the residuals. What can be read "
        "need not be used: whether the model uses it is asked by the effects."
    )
    return Section("decodable", "Decodable", blocks, lead) if blocks else None


def _blocks(source: Source, stored: Stored) -> Iterator[Block]:
    found = stored.having("table", *NEEDED)
    if found is None:
        return
    best = found.filter(pl.col("r2").is_finite()).sort("r2", descending=True).unique(
        "target", keep="first", maintain_order=True
    )  # fmt: skip
    if best.height:
        told = "; ".join(map(_best, best.iter_rows(named=True)))
        yield Text(harmless(source.named(stored, f"Read best: {told}") + ".", 1000))
    caption = source.named(stored, "What is read off the residuals")
    table = table_of(found.head(MOST), TABLE, id=f"{stored.slug}-probes", caption=caption)
    yield first_of(table, found.height)


def _best(row: dict[str, object]) -> str:
    """Where a target is read best."""
    values = (row[name] for name in ("r2", "shuffled_r2"))
    r2, shuffled = (number(value if isinstance(value, float) else None) for value in values)
    where = f"layer {row['layer']}, position {row['position']}"
    return f"{row['target']} at {where}, R² {r2} (shuffled {shuffled})"
