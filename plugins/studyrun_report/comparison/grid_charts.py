"""The pictures of a grid of cells: maps, lines, points and stacked shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from studyrun_report.comparison.grid import Parameter
from studyrun_report.comparison.measures import Measure
from studyrun_report.drawing.charts import WIDTH, finished, in_turn, kind_bars, styled
from studyrun_report.drawing.effect_charts import NARROW, ROW, STRONGEST
from studyrun_report.drawing.palette import CONTRARY, GRID, INK, SERIES

__all__ = ["MOST_SERIES", "SPREAD_OF_L0", "line_chart", "map_chart", "pareto_chart",
           "point_chart", "stack_chart", "writes"]  # fmt: skip

MOST_SERIES = 8
"""So many series are told apart."""
SPREAD_OF_L0 = 8
"""From this ratio of the largest to the smallest its axis is logarithmic."""
COLUMNS = 2
"""Panels beside each other."""
WHOLE = ".12~g"
"""Writes a number as it is: 128, 0.004."""
LETTER = 8
"""Pixels of a digit beside an axis, with some room."""
LOW_ROW = 15
"""Pixels of a row in one of several panels."""
Spec = dict[str, Any]


def writes(x: Parameter, panels: int) -> bool:
    """Whether a map's cells are wide enough for their numbers."""
    return len(x.values) <= (NARROW if panels < COLUMNS else NARROW // COLUMNS)


def map_chart(cells: pl.DataFrame, x: Parameter, y: Parameter, panels: Sequence[str]) -> Spec:
    """A square for each cell, the darker the larger; one map for each panel.

    Args:
        cells: (parameters, value, shown, panel); `shown` is the text within the square.
        x: what lies along x.
        y: what lies along y, large values above.
        panels: in order; one that is empty is no panel.
    """
    base = alt.Chart(_tinted(cells))
    across = _ordinal(alt.X, x, x.values)
    upwards = _ordinal(alt.Y, y, y.values[::-1])
    squares = base.mark_rect(stroke=GRID, strokeWidth=1).encode(
        across,
        upwards,
        color=alt.Color("tone:N", scale=None),
        fillOpacity=alt.Opacity("strength:Q", scale=None),
    )
    legible = writes(x, len(panels))
    text = base.mark_text(color=INK, fontSize=11).encode(across, upwards, text="shown:N")
    drawn = alt.layer(squares, text) if legible else alt.layer(squares)
    row = ROW if legible else LOW_ROW
    return _in_panels(drawn, panels, height=max(60, row * len(y.values)))


def _tinted(cells: pl.DataFrame) -> pl.DataFrame:
    """With `strength` and `tone`: from the smallest value, or from 0 where any is below it."""
    value, size = cells["value"], cells["value"].abs()
    below = bool((value < 0).any())
    first = 0.0 if below else float(value.min() or 0.0)  # type: ignore[arg-type]  # numbers
    span = float((size if below else value).max() or 0.0) - first  # type: ignore[arg-type]
    share = (size - first) / span if span > 0 else size * 0 + 0.5
    tone = pl.when(pl.col("value") < 0).then(pl.lit(CONTRARY)).otherwise(pl.lit(SERIES))
    return cells.with_columns(strength=share * STRONGEST, tone=tone)


def _ordinal(channel: Any, parameter: Parameter, values: Sequence[Any]) -> Any:
    upright: dict[str, Any] = {}
    if channel is alt.Y:
        left = 20 + LETTER * max(map(len, parameter.written()))
        upright = {"titleAngle": 0, "titleAlign": "right", "titleX": -left}
    axis = alt.Axis(labelAngle=0, grid=False, **upright)
    return channel(f"{parameter.field}:O", sort=list(values), title=parameter.title, axis=axis)


def line_chart(cells: pl.DataFrame, x: Parameter, of: Measure, panels: Sequence[str]) -> Spec:
    """Points joined over x, a line for each series, an interval where there is one.

    Args:
        cells: (x, value, series, panel), with `low` and `high` where there are intervals.
        x: a quantity.
        of: what the value is.
        panels: as in `map_chart`.
    """
    names = cells["series"].unique(maintain_order=True).to_list()
    base = alt.Chart(cells)
    axis = alt.Axis(values=list(x.values), grid=False, format=WHOLE, labelOverlap=True)
    across = alt.X(f"{x.field}:Q", title=x.title, scale=_scale(wide=x.wide), axis=axis)
    colour, shape = _told_apart(names)
    upwards = alt.Y("value:Q", title=of.title, scale=alt.Scale(zero=False), axis=_axis(of))
    lines = base.mark_line(strokeWidth=2).encode(across, upwards, colour)
    points = base.mark_point(filled=True, size=60, opacity=1).encode(across, upwards, colour, shape)
    layers = [lines, points]
    if "low" in cells.columns:
        whisker = base.mark_rule(strokeWidth=1.5)
        low = alt.Y("low:Q", title=of.title, scale=alt.Scale(zero=False))
        layers.insert(0, whisker.encode(across, low, alt.Y2("high"), colour))
    return _in_panels(alt.layer(*layers), panels, height=200)


def _scale(*, wide: bool) -> alt.Scale:
    """From the smallest to the largest value, with room for a point at each end."""
    kind: Any = {"type": "log", "base": 2} if wide else {}
    return alt.Scale(**kind, zero=False, nice=False, padding=16)


def _told_apart(names: Sequence[str]) -> tuple[alt.Color, alt.Shape]:
    """A colour and a shape for each name, with a legend where there are several."""
    legend = alt.Legend(orient="top", columns=2) if len(names) > 1 else None
    shapes = alt.Scale(domain=list(names))
    return (
        alt.Color("series:N", title=None, legend=legend, scale=in_turn(names)),
        alt.Shape("series:N", title=None, legend=legend, scale=shapes),
    )


def _axis(of: Measure) -> alt.Axis:
    return alt.Axis(format="~%", tickCount=5) if of.form == "share" else alt.Axis(tickCount=5)


def point_chart(cells: pl.DataFrame, of: Measure) -> Spec:
    """A point for each cell below the one before, with its interval where there is one.

    Args:
        cells: (cell, value), with `low` and `high` where there are intervals.
        of: what the value is.
    """
    base = alt.Chart(cells)
    y = alt.Y("cell:N", sort=cells["cell"].to_list(), title=None)
    scale = alt.Scale(zero=False)
    layers = []
    if "low" in cells.columns:
        low = alt.X("low:Q", title=of.title, scale=scale, axis=_axis(of))
        layers.append(base.mark_rule(color=SERIES, strokeWidth=2).encode(y, low, alt.X2("high")))
    x = alt.X("value:Q", title=of.title, scale=scale, axis=_axis(of))
    layers.append(base.mark_point(color=SERIES, filled=True, size=60, opacity=1).encode(y, x))
    return finished(alt.layer(*layers), height=max(60, 22 * cells.height))


def pareto_chart(cells: pl.DataFrame, x: Measure, y: Measure, *, wide: bool) -> Spec:
    """One measure against another, a point for each cell, those of a series joined by x.

    Args:
        cells: (columns of both measures, series).
        x: what lies along x.
        y: what lies along y.
        wide: whether x is logarithmic.
    """
    names = cells["series"].unique(maintain_order=True).to_list()
    base = alt.Chart(cells)
    axis = alt.Axis(grid=False, format=WHOLE, labelOverlap=True)
    across = alt.X(f"{x.column}:Q", title=x.title, scale=_scale(wide=wide), axis=axis)
    upwards = alt.Y(f"{y.column}:Q", title=y.title, scale=alt.Scale(zero=False), axis=_axis(y))
    if len(names) > MOST_SERIES:
        dots = base.mark_point(color=SERIES, filled=True, size=25, opacity=1)
        return finished(dots.encode(across, upwards), height=220)
    colour, shape = _told_apart(names)
    lines = base.mark_line(strokeWidth=1.5).encode(across, upwards, colour)
    points = base.mark_point(filled=True, size=60, opacity=1).encode(across, upwards, colour, shape)
    return finished(alt.layer(lines, points), height=220)


def stack_chart(
    counts: pl.DataFrame, bars: str, order: Sequence[Any], title: str | None, panels: Sequence[str]
) -> Spec:
    """Stacked shares of the kinds, a bar for each cell.

    Args:
        counts: (column `bars`, kind, share, panel).
        bars: the column with what is written beside each bar.
        order: of its values.
        title: of that axis.
        panels: as in `map_chart`.
    """
    stacked = kind_bars(counts, alt.Y(f"{bars}:N", sort=list(order), title=title))
    return _in_panels(alt.layer(stacked), panels, height=max(60, 22 * len(order)))


def _in_panels(drawn: Any, panels: Sequence[str], *, height: int) -> Spec:
    """One picture, or one for each panel, two beside each other."""
    if len(panels) < COLUMNS:
        return finished(drawn, height=height)
    small = drawn.properties(width=WIDTH // COLUMNS - 24, height=height)
    header = alt.Header(title=None, labelFontSize=13, labelColor=INK, labelLimit=180)
    facet = alt.Facet("panel:N", sort=list(panels), header=header, title=None)
    return styled(small.facet(facet=facet, columns=COLUMNS))
