"""Sites: where the model carries it, as a map of layers and positions."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from studyrun_report.blocks import Block, Figure, Text
from studyrun_report.drawing.effect_charts import NARROW, map_chart
from studyrun_report.effects.edits import WHERE, alpha, measured, scales, was_measured
from studyrun_report.effects.quantities import Quantity, quantity
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import WRITERS
from studyrun_report.writing.text import exact, harmless, probability

__all__ = ["maps"]

MAPPED = ("answer_towards", "answer_changed", "kl")
"""What is mapped: the first of these that was measured."""
MOST = 3
"""Maps of one step, one for each scale."""


def maps(source: Source, stored: Stored, edits: pl.DataFrame) -> Iterator[Block]:
    """For each scale in words and as a picture, where there is more than one site."""
    name = next((name for name in MAPPED if was_measured(edits, name)), None)
    if name is None or not {*WHERE} <= set(edits.columns):
        return
    found = _differences(measured(stored, edits, quantity(name)), alpha(source, stored))
    several = scales(edits) if len(scales(edits)) > 1 else [None]
    for number, scale in enumerate(several[-MOST:]):
        own = found if scale is None else found.filter(pl.col("scale") == scale)
        if own.select(WHERE).n_unique() > 1:
            at = "" if scale is None else f", scale {exact(scale)}"
            yield Text(harmless(_sentence(stored, own, quantity(name), at), 1000))
            yield _figure(stored, own, quantity(name), at, number)


def _differences(found: pl.DataFrame, alpha: float) -> pl.DataFrame:
    """Sites with `difference`, size minus that in a random direction; whether it is `sure`."""
    known = found.drop_nulls(WHERE).with_columns(
        pl.col("position").cast(pl.String),
        difference=pl.col("size") - pl.col("random"),
        sure=(pl.col("q") < alpha).fill_null(value=False),
        alpha=pl.lit(alpha),
    )
    return known.filter(pl.col("difference").is_finite())


def _sentence(stored: Stored, own: pl.DataFrame, of: Quantity, at: str) -> str:
    """Which site carries most, and how many carry anything."""
    write = WRITERS[of.form]
    first = own.sort("difference", descending=True, maintain_order=True).row(0, named=True)
    q = "" if first["q"] is None else f", q {probability(first['q'])}"
    many = (
        f"{own['sure'].sum()} of {own.height} sites have q below {exact(own['alpha'][0])} against "
        "a random direction"
    )
    if first["difference"] <= 0:
        return f"{stored.step}{at}: {of.title} is nowhere above a random direction; {many}."
    where = f"layer {first['layer']}, position {first['position']}"
    return (
        f"{stored.step}{at}: {of.title} is furthest above a random direction at {where}, "
        f"{write(first['size'])} against {write(first['random'])}{q}; {many}."
    )


def _figure(stored: Stored, own: pl.DataFrame, of: Quantity, at: str, number: int) -> Figure:
    layers, positions = (own[name].n_unique() for name in WHERE)
    unsure, level = own.height - own["sure"].sum(), exact(own["alpha"][0])
    marked = "in parentheses" if positions <= NARROW else "with a dot"
    between = " to ".join(map(WRITERS[of.form], (own["difference"].min(), own["difference"].max())))
    alt = (
        f"A grid of {layers} layers and {positions} positions: {of.title} minus that in a random "
        f"direction, from {between}; {unsure} of {own.height} cells are {marked}, as they do not "
        "differ from a random direction."
    )
    below = ", orange where it is negative" if (own["difference"] < 0).any() else ""
    caption = (
        f"{harmless(stored.step)}: where the model carries it{at}. {of.title} minus that in a "
        f"random direction, {between}{below}; {marked} where q is {level} or more"
    )
    cells = own.with_columns(shown=_shown(own, of))
    chart = map_chart(cells.select(*WHERE, "difference", "sure", "shown"))
    return Figure(f"{stored.slug}-map-{number}", caption, alt, chart)


def _shown(own: pl.DataFrame, of: Quantity) -> pl.Series:
    """What is written in each cell."""
    write = WRITERS[of.form]
    rows = own.select("difference", "sure").iter_rows()
    texts = [write(value) if sure else f"({write(value)})" for value, sure in rows]
    return pl.Series(texts, dtype=pl.String)
