"""The pictures of features taken together: their activations, directions, pairs and training."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from studyrun_report.drawing.charts import WIDTH, finished, styled
from studyrun_report.drawing.palette import CONTRARY, GRID, INK, SERIES, TWO_SIDED

__all__ = ["LEGIBLE", "activations_chart", "breaks", "cosines_chart", "pairs_chart",
           "training_chart"]  # fmt: skip

FLOOR = 0.5
"""Where bars begin on a logarithmic scale of counts: below 1, so that one pair can be seen."""
STEPS = (0.02, 0.04, 0.1, 0.2)
"""Widths of a tone of phi."""
LEGIBLE = 30
"""So many features have their numbers beside a map."""
Spec = dict[str, Any]


def activations_chart(bins: pl.DataFrame) -> Spec:
    """How many activations are how large, on a logarithmic scale of size.

    Args:
        bins: (low, high, n), low above 0.
    """
    ends = [min(bins["low"]), max(bins["high"])]
    x = alt.X("low:Q", title="Size of activation",
              scale=alt.Scale(type="log", domain=ends, nice=False),
              axis=alt.Axis(tickCount=5, format="~g"))  # fmt: skip
    bars = alt.Chart(bins).mark_rect(color=SERIES, stroke="white", strokeWidth=0.5)
    return finished(
        bars.encode(x, alt.X2("high"), alt.Y("n:Q", title="Activations"), alt.Y2("zero")),
        height=200,
    )


def cosines_chart(bins: pl.DataFrame) -> Spec:
    """Pairs of decoder directions by cosine as bars, those of random directions as a dashed line.

    Args:
        bins: (low, high, decoder, random), counts of pairs; null where there is less than one.
    """
    base = alt.Chart(bins)
    ends = [min(bins["low"]), max(bins["high"])]
    x = alt.X("low:Q", title="Cosine of two decoder directions",
              scale=alt.Scale(domain=ends, nice=False),
              axis=alt.Axis(tickCount=6, grid=False))  # fmt: skip
    most = max([1.0, *bins["decoder"].drop_nulls(), *bins["random"].drop_nulls()])
    y = alt.Y("decoder:Q", title="Pairs",
              scale=alt.Scale(type="log", nice=False, domain=[FLOOR, most]),
              axis=alt.Axis(format="~s", tickCount=5))  # fmt: skip
    own = base.mark_rect(color=SERIES).encode(x, alt.X2("high"), y, alt.Y2(datum=FLOOR))
    random = base.mark_line(color=CONTRARY, strokeWidth=2, strokeDash=[5, 4],
                            interpolate="step-after")  # fmt: skip
    both = own + random.encode(x, alt.Y("random:Q"))
    return finished(both, height=200)


def training_chart(epochs: pl.DataFrame) -> Spec:
    """The fraction of variance unexplained after each epoch.

    Args:
        epochs: (epoch, fvu).
    """
    x = alt.X("epoch:Q", title="Epoch", axis=alt.Axis(tickMinStep=1, grid=False))
    y = alt.Y("fvu:Q", title="FVU in training", scale=alt.Scale(zero=True))
    line = alt.Chart(epochs).mark_line(color=SERIES, strokeWidth=2).encode(x, y)
    return finished(line, height=200)


def breaks(most: float) -> list[float]:
    """Where one of the seven tones ends and the next begins: round numbers, none of them 0.

    Args:
        most: the largest |phi|.
    """
    step = next((step for step in STEPS if 3.5 * step >= most), STEPS[-1])
    return [round(step * (place - 2.5), 3) for place in range(6)]


def pairs_chart(cells: pl.DataFrame, n: int) -> Spec:
    """A map of pairs of features: below the diagonal phi, above it whether they fire together.

    Args:
        cells: (place, other_place, feature, other, phi, together); place > other_place for a cell
            that shows phi, place < other_place for one that shows `together`.
        n: features on the map.
    """
    most = max([0.0, *cells["phi"].abs().drop_nulls()])
    order = pl.concat([
        cells.select("place", "feature"),
        cells.select(place="other_place", feature="other"),
    ]).unique("place").sort("place")["feature"].cast(pl.String).to_list()  # fmt: skip
    axis = alt.Axis(labelFontSize=10) if n <= LEGIBLE else alt.Axis(labels=False, ticks=False)
    base = alt.Chart(cells.with_columns(pl.col("feature", "other").cast(pl.String)))
    x = alt.X("other:N", sort=order, title="Feature", axis=axis)
    y = alt.Y("feature:N", sort=order, title="Feature", axis=axis)
    tones = [tone.light for tone in TWO_SIDED]
    colour = alt.Color(
        "phi:Q",
        title="Phi",
        scale=alt.Scale(type="threshold", domain=breaks(most), range=tones),
        legend=alt.Legend(orient="top", direction="horizontal", format="~g", gradientLength=280),
    )
    below = base.transform_filter("!datum.together").mark_rect().encode(x, y, colour)
    above = base.transform_filter("datum.together").mark_rect(color=INK).encode(x, y)
    drawn = alt.layer(below, above).properties(width=WIDTH, height=WIDTH)
    return styled(drawn.configure_view(stroke=GRID))
