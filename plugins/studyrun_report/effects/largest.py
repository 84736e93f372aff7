"""The largest effects of a study in a few words, each beside its control."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from studyrun_report.effects.edits import groups, identified, measured, was_measured
from studyrun_report.effects.feature_effects import preference
from studyrun_report.effects.quantities import RECONSTRUCTION, quantity
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import WRITERS
from studyrun_report.writing.text import harmless

__all__ = ["largest_effects"]

MOST = 3
COLUMNS = {
    "step": pl.String,
    "edit": pl.String,
    "quantity": pl.String,
    "size": pl.Float64,
    "control": pl.Float64,
    "verdict": pl.String,
}


def largest_effects(source: Source) -> str:
    """The three furthest above their control, of the quantity tested on most edits; or nothing.

    Only those called an effect, where edits were tested.
    """
    steps = list(source.of_type("effects"))
    every = pl.concat([pl.DataFrame(schema=COLUMNS), *(f for s in steps for f in _of(s))])
    known = every.filter(pl.col("size").is_finite())
    if known.is_empty():
        return ""
    counts = known.group_by("quantity").len()
    name = min(counts.iter_rows(), key=lambda each: preference(*each))[0]
    return _told(known.filter(quantity=name), name, several=len(steps) > 1)


def _of(stored: Stored) -> list[pl.DataFrame]:
    """A row for each edit and quantity of a step."""
    table = stored.table
    if table is None or table.is_empty():
        return []
    edits = identified(table)
    found = [
        _shaped(stored, name, measured(stored, edits, quantity(name)), "random")
        for group in groups(edits)
        for name in group.main
        if was_measured(edits, name)
    ]
    if was_measured(edits, RECONSTRUCTION.name):
        alike = "control_mean" if "control_mean" in edits.columns else None
        own = edits.with_columns(size=pl.col(RECONSTRUCTION.name), verdict=pl.lit(None, pl.String))
        found.append(_shaped(stored, RECONSTRUCTION.name, own, alike))
    return found


def _shaped(stored: Stored, name: str, found: pl.DataFrame, control: str | None) -> pl.DataFrame:
    return found.select(
        step=pl.lit(stored.step),
        edit=pl.col("name_scaled"),
        quantity=pl.lit(name),
        size=pl.col("size").cast(pl.Float64),
        control=(pl.lit(None) if control is None else pl.col(control)).cast(pl.Float64),
        verdict=pl.col("verdict"),
    )


def _told(own: pl.DataFrame, name: str, *, several: bool) -> str:
    of = RECONSTRUCTION if name == RECONSTRUCTION.name else quantity(name)
    tested = own.filter(pl.col("verdict").is_not_null())
    called = tested.filter(pl.col("verdict") == "effect")
    if tested.height and called.is_empty():
        return harmless(f"{of.title}: none of {tested.height} edits is called an effect")
    shown = called if tested.height else own
    above = pl.col("size") - pl.col("control").fill_null(0)
    first = shown.sort(above, descending=True, nulls_last=True, maintain_order=True).head(MOST)
    against = "alike features" if of is RECONSTRUCTION else "random"
    said = "; ".join(
        _one(row, of.form, against, several=several) for row in first.iter_rows(named=True)
    )
    many = f"{called.height} of {tested.height} edits are called an effect"
    known = many.replace("are", "is") if called.height == 1 else many
    beside = f"furthest above {against}" if tested.height else f"largest against {against}"
    which = "" if len(shown) == 1 else f", {beside}"
    return harmless(f"{of.title}: {known if tested.height else 'not tested'}{which}: {said}", 1000)


def _one(row: Mapping[str, Any], form: str, against: str, *, several: bool) -> str:
    """`feature 48, 12.3 % (random 2.0 %)`."""
    write = WRITERS[form]
    numbers = row["edit"].split(" and ")
    features = f"feature{'s' * (len(numbers) > 1)} {row['edit']}"
    who = features if all(map(str.isdecimal, numbers)) else row["edit"]
    step = f" in {row['step']}" if several else ""
    control = "" if row["control"] is None else f" ({against} {write(row['control'])})"
    return f"{who}{step}, {write(row['size'])}{control}"
