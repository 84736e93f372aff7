"""The pictures, as Vega-Lite specifications made with Altair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from studyrun_report.palette import GRID, INK, MUTED, SERIES, kind_colours
from studyrun_report.text import plain

__all__ = ["effects_chart", "frequency_chart", "kinds_chart"]

WIDTH, HEIGHT = 400, 250
Spec = dict[str, Any]


def frequency_chart(frequencies: pl.DataFrame, ranges: Sequence[tuple[int, int]]) -> Spec:
    """Activation frequency against rank, log scale; the study's rank ranges as bands.

    Args:
        frequencies: (rank, frequency) of the features that are ever active.
        ranges: (first, last) of each range.
    """
    base = alt.Chart(frequencies)
    last = max([1, *frequencies["rank"]])
    x = alt.X("rank:Q", title="Frequency rank", scale=alt.Scale(domain=[0, last], nice=False))
    decades = _decades(frequencies["frequency"])
    y = alt.Y(
        "frequency:Q",
        title="Share of problems on which it is active",
        scale=alt.Scale(type="log", domain=[decades[0], 1]),
        axis=alt.Axis(format="~%", values=decades),
    )
    line = base.mark_line(color=SERIES, strokeWidth=2, interpolate="step-after").encode(x, y)
    bands = pl.DataFrame(ranges, {"first": pl.Int64, "last": pl.Int64}, orient="row").with_columns(
        pl.col("last").clip(upper_bound=last)
    )
    shading = alt.Chart(bands.filter(pl.col("first") < pl.col("last"))).mark_rect(
        color=GRID, opacity=0.6
    ).encode(x="first:Q", x2="last:Q")  # fmt: skip
    return _finished(alt.layer(shading, line) if bands.height else line)


def _decades(frequencies: pl.Series) -> list[float]:
    """The powers of ten from at or below the smallest frequency up to 1, two at least."""
    lowest = math.floor(math.log10(min([0.1, *frequencies])) + 1e-9)
    return [10.0**power for power in range(lowest, 1)]


def kinds_chart(distribution: pl.DataFrame) -> Spec:
    """Stacked shares of the kinds, a bar for each rank range.

    Args:
        distribution: (ranks, kind, n, total, share).
    """
    ranges = distribution["ranks"].unique(maintain_order=True).to_list()
    kinds = distribution["kind"].unique(maintain_order=True).to_list()
    order = pl.DataFrame({"kind": kinds, "place": range(len(kinds))})
    colour = alt.Color(
        "kind:N",
        title=None,
        scale=alt.Scale(domain=kinds, range=kind_colours(kinds)),
        legend=alt.Legend(orient="top", columns=3, symbolType="square"),
    )
    bars = (
        alt.Chart(distribution.join(order, on="kind", how="left", maintain_order="left"))
        .mark_bar(stroke="white", strokeWidth=1)
        .encode(
            alt.Y("ranks:N", sort=ranges, title=None),
            alt.X("share:Q", stack="zero", title="Share of features",
                  scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5)),
            colour,
            alt.Order("place:Q"),
        )
    )  # fmt: skip
    return _finished(bars, height=44 * max(1, len(ranges)))


def effects_chart(effects: pl.DataFrame, title: str) -> Spec:
    """The effect of each edit as a point, with its control's interval beside it.

    Args:
        effects: (edit, value, control_low, control_high), in the order shown.
        title: of the axis.
    """
    order = effects["edit"].to_list()
    y = alt.Y("edit:N", sort=order, title="Feature")
    base = alt.Chart(effects)
    axis = alt.Axis(tickCount=5)
    x = alt.X("control_low:Q", title=title, axis=axis, scale=alt.Scale(zero=True))
    control = base.mark_bar(color=GRID, height=9).encode(y, x, alt.X2("control_high"))
    points = base.mark_point(color=SERIES, filled=True, size=60, opacity=1).encode(y, x="value:Q")
    return _finished(control + points, height=max(60, 20 * len(order)))


def _finished(chart: Any, height: int = HEIGHT) -> Spec:
    """The specification, its texts large enough for a phone."""
    sized = chart.properties(width=WIDTH, height=height)
    styled = sized.configure(
        aria=False,
        background="transparent",
        font="system-ui, sans-serif",
        padding={"left": 12, "right": 8, "top": 4, "bottom": 4},
        axis=alt.AxisConfig(
            labelColor=INK, titleColor=INK, gridColor=GRID, domainColor=MUTED, tickColor=MUTED,
            labelFontSize=13, titleFontSize=13, titleFontWeight="normal", labelLimit=170,
        ),
        legend=alt.LegendConfig(labelColor=INK, labelFontSize=13, labelLimit=160),
        view=alt.ViewConfig(stroke=None),
    )  # fmt: skip
    spec: Spec = plain(styled.to_dict())
    return spec
