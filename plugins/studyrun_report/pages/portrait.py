"""Portrait: how often and how strongly a feature is active."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from studyrun_report.blocks import Bars, Term
from studyrun_report.labelling import Labelling
from studyrun_report.writing.text import number, share

__all__ = ["histograms", "measures", "terms"]

STRENGTH = {"mean_active": "Mean activation", "median": "Median activation",
            "max": "Largest activation"}  # fmt: skip


def measures(of: Labelling) -> dict[int, dict[str, Any]]:
    """Feature -> what the portraits measured of it."""
    found = None if of.portraits is None else of.portraits.having("table", "feature")
    rows = [] if found is None else found.iter_rows(named=True)
    return {row["feature"]: row for row in rows}


def terms(row: Mapping[str, Any], measured: Mapping[str, Any], total: int) -> Iterator[Term]:
    """Its rank, its frequency, and its activation where it is active.

    Args:
        row: of the labels.
        measured: of the portraits; empty where there are none.
        total: how many features there are.
    """
    if row.get("rank") is not None:
        yield Term("Rank by frequency", f"{row['rank']} of {total}")
    active = _active(row) or _active(measured)
    if active:
        yield Term("Active", active)
    strength = {name: measured.get(name) for name in STRENGTH}
    if measured.get("mean_active") is None:
        strength["mean_active"] = row.get("mean_abs_when_active")
    for name, title in STRENGTH.items():
        if strength[name] is not None:
            yield Term(title, number(strength[name]))


def _active(row: Mapping[str, Any]) -> str:
    n, total, frequency = (row.get(name) for name in ("n_active", "n_total", "frequency"))
    if None in (n, total, frequency):
        return ""
    return f"on {n} of {total} problems, {share(frequency)}"


def histograms(of: Labelling) -> dict[int, Bars]:
    """Feature -> the histogram of its activations where it is active."""
    columns = ("feature", "bin", "low", "high", "n")
    found = None if of.portraits is None else of.portraits.having("histogram", *columns)
    if found is None:
        return {}
    lists = found.sort("feature", "bin").group_by("feature", maintain_order=True)
    every = lists.agg(pl.col("low"), pl.col("high"), pl.col("n"))
    return {feature: _bars(*rest) for feature, *rest in every.iter_rows()}


def _bars(low: list[float], high: list[float], counts: list[int]) -> Bars:
    fullest = max(range(len(counts)), key=counts.__getitem__)
    first, last = number(low[0]), number(high[-1])
    alt = (
        f"Histogram of {sum(counts)} activations from {first} to {last} in {len(counts)} bins; "
        f"the fullest, {number(low[fullest])} to {number(high[fullest])}, holds {counts[fullest]}."
    )
    return Bars(first, last, tuple(counts), alt)
