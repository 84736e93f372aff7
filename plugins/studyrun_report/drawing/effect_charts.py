"""The pictures of effects: beside their controls, by dose, and by site."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from studyrun_report.drawing.charts import finished, in_turn
from studyrun_report.drawing.palette import CONTRARY, GRID, IN_TURN, INK, MUTED, SERIES

__all__ = ["DOSES", "NARROW", "dose_chart", "effects_chart", "map_chart"]

DOSES = len(IN_TURN)
"""So many lines are told apart."""
ROW, NARROW = 26, 10
"""Pixels of a layer; more positions than this are drawn without their numbers, with dots."""
STRONGEST = 0.55
"""Opacity of the largest cell, so that what is written on it stays legible."""
Spec = dict[str, Any]


def effects_chart(effects: pl.DataFrame, title: str) -> Spec:
    """The effect of each edit as a point, with its control's interval beside it.

    Args:
        effects: (edit, value, control_low, control_high), in the order shown.
        title: of the axis.
    """
    order = effects["edit"].to_list()
    title_of_edits = "Feature" if all(map(str.isdecimal, order)) else None
    y = alt.Y("edit:N", sort=order, title=title_of_edits)
    base = alt.Chart(effects)
    axis = alt.Axis(tickCount=5)
    x = alt.X("control_low:Q", title=title, axis=axis, scale=alt.Scale(zero=True))
    control = base.mark_bar(color=GRID, height=9).encode(y, x, alt.X2("control_high"))
    points = base.mark_point(color=SERIES, filled=True, size=60, opacity=1).encode(y, x="value:Q")
    return finished(control + points, height=max(60, 20 * len(order)))


def dose_chart(doses: pl.DataFrame, title: str, *, share: bool) -> Spec:
    """A line for each edit over the scale, dashed that of a random direction of the same norm.

    Args:
        doses: (name, scale, size, random).
        title: of the axis of sizes.
        share: whether these are shares.
    """
    names = doses["name"].unique(maintain_order=True).to_list()
    base = alt.Chart(doses)
    colour = alt.Color(
        "name:N",
        title=None,
        scale=in_turn(names),
        legend=alt.Legend(orient="top", columns=2, symbolType="circle"),
    )
    shape = alt.Shape("name:N", title=None, scale=alt.Scale(domain=names), legend=None)
    x = alt.X("scale:Q", title="Scale of the edit", axis=alt.Axis(tickCount=6))
    axis = alt.Axis(format="~%") if share else alt.Axis(tickCount=5)
    y = alt.Y("size:Q", title=title, axis=axis, scale=alt.Scale(zero=True))
    lines = base.mark_line(strokeWidth=2).encode(x, y, colour)
    points = base.mark_point(filled=True, size=60, opacity=1).encode(x, y, colour, shape)
    dashed = base.transform_filter("isValid(datum.random)").mark_line(
        strokeWidth=1.5, strokeDash=[5, 4]
    ).encode(x, alt.Y("random:Q", title=title), colour)  # fmt: skip
    return finished(alt.layer(dashed, lines, points))


def map_chart(cells: pl.DataFrame) -> Spec:
    """A cell for each layer and position, the darker the larger; deep layers are above.

    Args:
        cells: (layer, position, difference, sure, shown), `shown` the text within the cell.
    """
    layers = cells["layer"].unique().sort(descending=True).to_list()
    positions = sorted(cells["position"].unique(), key=_by_number)
    largest = max(1e-300, *(abs(value) for value in cells["difference"]))
    tinted = cells.with_columns(
        strength=pl.col("difference").abs() / largest * STRONGEST,
        tone=pl.when(pl.col("difference") < 0).then(pl.lit(CONTRARY)).otherwise(pl.lit(SERIES)),
    )
    base = alt.Chart(tinted)
    x = alt.X("position:O", sort=positions, title="Position",
              axis=alt.Axis(labelAngle=0, grid=False))  # fmt: skip
    y = alt.Y("layer:O", sort=layers, title="Layer", axis=alt.Axis(grid=False))
    squares = base.mark_rect(stroke=GRID, strokeWidth=1).encode(
        x,
        y,
        color=alt.Color("tone:N", scale=None),
        fillOpacity=alt.Opacity("strength:Q", scale=None),
    )
    if len(positions) > NARROW:
        marked = base.transform_filter("!datum.sure").mark_circle(color=MUTED, size=20, opacity=1)
        drawn = squares + marked.encode(x, y)
    else:
        drawn = squares + base.mark_text(color=INK, fontSize=11).encode(x, y, text="shown:N")
    return finished(drawn, height=max(60, ROW * len(layers)))


def _by_number(position: str) -> tuple[bool, int, str]:
    """Numbers before names, by size."""
    number = position.removeprefix("-")
    known = number.isdecimal() and len(number) < 9
    return (not known, int(position) if known else 0, position)
