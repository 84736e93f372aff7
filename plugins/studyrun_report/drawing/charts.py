"""The pictures, as Vega-Lite specifications made with Altair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from studyrun_report.drawing.palette import (
    GRID,
    IN_TURN,
    INK,
    KINDS,
    MUTED,
    SERIES,
    kind_colours,
    ordered,
)
from studyrun_report.writing.text import plain

__all__ = ["OUTER", "WIDTH", "controls_chart", "finished", "frequency_chart", "in_turn",
           "kind_bars", "kinds_chart", "look", "stability_chart", "styled"]  # fmt: skip

WIDTH, HEIGHT = 400, 200
OUTER = 480
"""Pixels of a whole picture; `WIDTH` is a map's own."""
DIGITS = 6
"""Significant digits of the numbers that pictures are drawn from."""
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
        title="Share of problems",
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
    return finished(alt.layer(shading, line) if bands.height else line)


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
    bars = kind_bars(distribution, alt.Y("ranks:N", sort=ranges, title=None))
    return finished(bars, height=44 * max(1, len(ranges)))


def kind_bars(counts: pl.DataFrame, along: alt.Y) -> Any:
    """Stacked shares of the kinds, in their order and colours.

    Args:
        counts: (kind, share), and the column of `along`.
        along: what each bar is for.
    """
    kinds = ordered(counts["kind"])
    colour = alt.Color(
        "kind:N",
        title=None,
        scale=alt.Scale(domain=kinds, range=kind_colours(kinds)),
        legend=alt.Legend(orient="top", columns=3, symbolType="square"),
    )
    placed = counts.with_columns(place=pl.col("kind").replace_strict(_places(kinds)))
    return alt.Chart(placed).mark_bar(stroke="white", strokeWidth=1).encode(
        along,
        alt.X("share:Q", stack="zero", title="Share of features",
              scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5)),
        colour,
        alt.Order("place:Q"),
    )  # fmt: skip


def controls_chart(controls: pl.DataFrame) -> Spec:
    """The share of features that each classifier labels, with its interval, on each kind of data.

    Args:
        controls: (data, classifier, rate, ci_low, ci_high), in the order shown.
    """
    data = controls["data"].unique(maintain_order=True).to_list()
    classifiers = controls["classifier"].unique(maintain_order=True).to_list()
    base = alt.Chart(controls)
    y = alt.Y("data:N", sort=data, title=None)
    beside = alt.YOffset("classifier:N", sort=classifiers)
    legend = alt.Legend(orient="top", columns=2) if len(classifiers) > 1 else None
    colour = alt.Color("classifier:N", title=None, legend=legend, scale=in_turn(classifiers))
    shapes = alt.Scale(domain=classifiers)
    shape = alt.Shape("classifier:N", title=None, legend=legend, scale=shapes)
    axis = alt.Axis(format="~%", tickCount=5)
    x = alt.X("ci_low:Q", title="Share of features labelled", axis=axis)
    lines = base.mark_rule(strokeWidth=2).encode(y, x, alt.X2("ci_high"), colour, yOffset=beside)
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        y, alt.X("rate:Q"), colour, shape, yOffset=beside
    )
    return finished(lines + points, height=len(data) * (14 + 16 * len(classifiers)))


def in_turn(names: Sequence[str]) -> alt.Scale:
    """A colour for each name, taken in turn."""
    tones = [tone.light for tone in IN_TURN]
    return alt.Scale(domain=list(names), range=[tones[i % len(tones)] for i in range(len(names))])


def stability_chart(counts: pl.DataFrame, outcomes: Sequence[str]) -> Spec:
    """How many labelled features have their best match at which cosine, by what the match is.

    Args:
        counts: (low, high, outcome, n): the bin's ends, one of `outcomes`, how many.
        outcomes: in the order stacked; the first one is the finding.
    """
    colours = [SERIES, KINDS["general"].light, KINDS["insufficient"].light]
    colour = alt.Color(
        "outcome:N",
        title=None,
        scale=alt.Scale(domain=list(outcomes), range=colours[: len(outcomes)]),
        legend=alt.Legend(orient="top", symbolType="square"),
    )
    bars = (
        alt.Chart(counts.with_columns(place=pl.col("outcome").replace_strict(_places(outcomes))))
        .mark_bar(stroke="white", strokeWidth=1)
        .encode(
            alt.X("low:Q", title="Cosine with the best match", bin="binned",
                  scale=alt.Scale(domain=[min(0, *counts["low"]), 1], nice=False)),
            alt.X2("high"),
            alt.Y("n:Q", title="Matches", stack="zero", axis=alt.Axis(tickMinStep=1)),
            colour,
            alt.Order("place:Q"),
        )
    )  # fmt: skip
    return finished(bars, height=150)


def _places(names: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def finished(chart: Any, height: int = HEIGHT) -> Spec:
    """The specification of one picture of the usual width, with its axis and all.

    Pictures of one width stand beside each other at one scale.
    """
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    return styled(chart.properties(width=OUTER, height=height, autosize=fit))


def styled(chart: Any) -> Spec:
    """The specification, its texts large enough for a phone.

    It is not compared with Vega-Lite's schema here, which takes longer than all else: tests do so.
    """
    configured = chart.configure(
        aria=False,
        background="transparent",
        font="system-ui, sans-serif",
        padding={"left": 16, "right": 8, "top": 4, "bottom": 4},
        axis=alt.AxisConfig(
            labelColor=INK, titleColor=INK, gridColor=GRID, domainColor=MUTED, tickColor=MUTED,
            labelFontSize=13, titleFontSize=13, titleFontWeight="normal", labelLimit=170,
        ),
        legend=alt.LegendConfig(
            labelColor=INK, titleColor=INK, labelFontSize=13, titleFontSize=13, labelLimit=160,
            titleFontWeight="normal", columnPadding=24,
        ),
        header=alt.HeaderConfig(labelColor=INK, titleColor=INK, labelFontSize=13, titleFontSize=13),
        view=alt.ViewConfig(stroke=None),
    )  # fmt: skip
    with alt.data_transformers.disable_max_rows():
        spec: Spec = plain(configured.to_dict(validate=False))
    data = {
        name: [_rounded(row) for row in rows] for name, rows in spec.get("datasets", {}).items()
    }
    return {**spec, "datasets": data} if data else spec


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    """The row with numbers that somebody can read, in the picture's table as under the pointer."""
    return {
        name: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
        for name, value in row.items()
    }


def look() -> Spec:
    """What all pictures have in common, for one that comes as a specification."""
    config: Spec = styled(alt.Chart().mark_point())["config"]
    return config
