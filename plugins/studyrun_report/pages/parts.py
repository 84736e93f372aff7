"""One table of every feature page, made for all features together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from studyrun_report.blocks import Layout, Rows
from studyrun_report.writing.tables import Spec, cells, columns, used

__all__ = ["Part", "by_feature"]


@dataclass(frozen=True, slots=True)
class Part:
    """The head of the table, and its rows for the features that have any."""

    layout: Layout
    rows: dict[int, Rows]


def by_feature(
    frame: pl.DataFrame, specs: Iterable[Spec], *, name: str, caption: str, note: str = ""
) -> Part | None:
    """The rows of each `feature`, in the order of the frame; None where there are none."""
    known = frame.filter(pl.col("feature").is_not_null())
    sorted_ = known.sort("feature", maintain_order=True)
    kept = used(sorted_, specs)
    if sorted_.is_empty() or not kept:
        return None
    rows = cells(sorted_, kept)
    own: dict[int, Rows] = {}
    start = 0
    for length, feature in sorted_["feature"].rle().struct.unnest().iter_rows():
        own[feature] = rows[start : start + length]
        start += length
    return Part(Layout(name, caption, columns(kept), note), own)
