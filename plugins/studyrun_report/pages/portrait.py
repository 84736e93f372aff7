"""Portrait: how often and how strongly a feature is active."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import polars as pl

from studyrun_report.blocks import Bars, Term
from studyrun_report.labelling import Labelling
from studyrun_report.writing.text import harmless, number, share

__all__ = ["Splits", "histograms", "measures", "splits_of", "terms"]

STRENGTH = {"mean_active": "Mean activation", "median": "Median activation",
            "max": "Largest activation"}  # fmt: skip


class Splits(NamedTuple):
    """The problems on which features were counted, in words; empty where nobody says."""

    labels: str = ""
    portraits: str = ""


def splits_of(of: Labelling) -> Splits:
    """`validation problems`, and `problems` where those of every split were looked at."""
    portraits = "" if of.portraits is None else _problems(of.portraits.artifact.meta)
    own = _problems(of.stored.artifact.meta) if of.labelled else portraits
    return Splits(own, portraits)


def _problems(meta: Mapping[str, Any]) -> str:
    split = meta.get("split")
    return f"{split} problems" if split not in (None, "all") else "problems"


def measures(of: Labelling) -> dict[int, dict[str, Any]]:
    """Feature -> what the portraits measured of it."""
    found = None if of.portraits is None else of.portraits.having("table", "feature")
    rows = [] if found is None else found.iter_rows(named=True)
    return {row["feature"]: row for row in rows}


def terms(
    row: Mapping[str, Any], measured: Mapping[str, Any], total: int, splits: Splits
) -> Iterator[Term]:
    """Its rank, its frequency, and its activation where it is active.

    Args:
        row: of the labels.
        measured: of the portraits; empty where there are none.
        total: how many features there are.
        splits: the problems on which the two counted.
    """
    if row.get("rank") is not None:
        yield Term("Rank by frequency", f"{row['rank']} of {total}")
    own, drawn = _active(row, splits.labels), _active(measured, splits.portraits)
    if own or drawn:
        yield Term("Active", own or drawn)
    if own and drawn and own != drawn:
        yield Term("Active, histogram and samples", drawn)
    strength = {name: measured.get(name) for name in STRENGTH}
    if measured.get("mean_active") is None:
        strength["mean_active"] = row.get("mean_abs_when_active")
    for name, title in STRENGTH.items():
        if strength[name] is not None:
            yield Term(title, number(strength[name]))


def _active(row: Mapping[str, Any], problems: str) -> str:
    n, total, frequency = (row.get(name) for name in ("n_active", "n_total", "frequency"))
    if None in (n, total, frequency):
        return ""
    return f"on {n} of {total} {problems}, {share(frequency)}"


def histograms(of: Labelling) -> dict[int, Bars]:
    """Feature -> the histogram of its activations where it is active."""
    if of.portraits is None:
        return {}
    found = of.portraits.having("histogram", "feature", "bin", "low", "high", "n")
    if found is None:
        return {}
    lists = found.sort("feature", "bin").group_by("feature", maintain_order=True)
    every = lists.agg(pl.col("low"), pl.col("high"), pl.col("n"))
    on = harmless(of.portraits.problems)
    return {
        feature: _bars(low, high, counts, on) for feature, low, high, counts in every.iter_rows()
    }


def _bars(low: list[float], high: list[float], counts: list[int], on: str) -> Bars:
    fullest = max(range(len(counts)), key=counts.__getitem__)
    first, last = number(low[0]), number(high[-1])
    alt = (
        f"Histogram of {sum(counts)} activations, on {on}, from {first} to {last} in "
        f"{len(counts)} bins; the fullest, {number(low[fullest])} to {number(high[fullest])}, "
        f"holds {counts[fullest]}."
    )
    return Bars(first, last, tuple(counts), alt)
