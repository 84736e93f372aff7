"""Scaling: what more active features and more features in all buy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from studyrun_report.blocks import Block, Figure, Section
from studyrun_report.comparison.cases import Cases
from studyrun_report.comparison.grid import Grid, Parameter
from studyrun_report.comparison.grid_charts import (
    MOST_SERIES,
    SPREAD_OF_L0,
    line_chart,
    pareto_chart,
)
from studyrun_report.comparison.measures import EXPLAINED, LABELLED, Measure
from studyrun_report.comparison.pictures import finite, labelled
from studyrun_report.writing.tables import WRITERS
from studyrun_report.writing.text import exact, harmless

__all__ = ["alone", "section"]

L0 = Measure("l0", "L0: mean number of active features")
SIZES = ("k", "d_sae")
MOST_PANELS = 6
"""More combinations of the other parameters are drawn as their median and range."""


def section(cases: Cases) -> Section | None:
    """Explained variance and labelled share over k and over d_sae, and the trade-off."""
    blocks = (*_curves(cases), *_trade_off(cases))
    lead = (
        "The same cells as lines: how much of the activations is kept, and what share of all "
        "features carries a label, by the number kept active (k) and the number there are (d_sae). "
        "Shares stand with Wilson's 95 % interval over features; an SAE was trained once for each "
        "point, so explained variance has none."
    )
    return Section("scaling", "Scaling", blocks, lead) if blocks else None


def alone(grid: Grid) -> bool:
    """Whether one of the sizes is the only quantity, so that its lines are the whole picture."""
    return grid.y is None and grid.x is not None and grid.x.short in SIZES


def _curves(cases: Cases) -> Iterator[Block]:
    for name in SIZES:
        x = cases.grid.named(name)
        if x is not None:
            other = cases.grid.named(SIZES[name == SIZES[0]])
            for of in (EXPLAINED, LABELLED):
                yield from _curve(cases, x, other, of)


def _curve(cases: Cases, x: Parameter, other: Parameter | None, of: Measure) -> Iterator[Figure]:
    found = finite(cases.frame, of)
    if found[x.field].n_unique() < 2:
        return
    rest = [each for each in cases.grid.parameters if each not in (x, other)]
    series = [each for each in (other,) if each is not None]
    if not series and rest and _many(found, rest) <= MOST_SERIES:
        series, rest = rest, []
    own = labelled(labelled(found, rest, "panel"), [*series, x], "series")
    own = own.with_columns(series=labelled(own, series, "series")["series"])
    own = labelled(labelled(own, series, "series"), rest, "panel") if rest else own
    note = ""
    if _many(found, rest) > MOST_PANELS:
        own = _summarised(own, x)
        others = " and ".join(each.title for each in rest)
        note = f"; median, smallest and largest over {_many(found, rest)} of {others}"
    ends = [end for end in ("low", "high") if end in own.columns]
    kept = own.select(x.field, "value", *ends, "series", "panel")
    between = ", with 95 % intervals" if of.ends and not note else ""
    counted = _counted(found, of)
    caption = harmless(f"{of.title} over {x.title}{_for_each(series)}{between}{note}{counted}")
    panels = kept["panel"].unique(maintain_order=True).to_list()
    spec = line_chart(kept, x, of, panels)
    yield Figure(f"scaling-{x.field}-{of.column}", caption, _said(kept, x, of), spec)


def _counted(cells: pl.DataFrame, of: Measure) -> str:
    """`; n = 480 problems`, or from how many to how many."""
    counted = "label_problems" if of is LABELLED else "n"
    counts = cells[counted].drop_nulls().unique().sort().to_list()
    ends = dict.fromkeys(counts[:1] + counts[-1:])
    return f"; n = {' to '.join(map(str, ends))} problems" if ends else ""


def _many(cells: pl.DataFrame, parameters: Sequence[Parameter]) -> int:
    """How many combinations of these there are."""
    return cells.select(each.field for each in parameters).n_unique() if parameters else 1


def _for_each(series: Sequence[Parameter]) -> str:
    return f", a line for each {' and '.join(each.title for each in series)}" if series else ""


def _summarised(cells: pl.DataFrame, x: Parameter) -> pl.DataFrame:
    """One point for each x and series: the median, between the smallest and the largest."""
    value = pl.col("value")
    return cells.group_by("series", x.field, maintain_order=True).agg(
        value=value.median(), low=value.min(), high=value.max(), panel=pl.lit("").first()
    )


def _said(kept: pl.DataFrame, x: Parameter, of: Measure) -> str:
    """Where each line begins and ends."""
    write, parts = WRITERS[of.form], []
    for (panel, series), own in kept.group_by("panel", "series", maintain_order=True):
        first, last = (own.sort(x.field).row(at, named=True) for at in (0, -1))
        name = ", ".join(str(each) for each in (panel, series) if each)
        between = (
            f"{write(first['value'])} at {x.title} {exact(first[x.field])}, "
            f"{write(last['value'])} at {exact(last[x.field])}"
        )
        parts.append(f"{name}: {between}" if name else between)
    return harmless(f"{of.title}. {'; '.join(parts)}.", 2000)


def _trade_off(cases: Cases) -> Iterator[Figure]:
    """Explained variance against L0, where either size varies."""
    grid = cases.grid
    if not any(grid.named(name) for name in SIZES):
        return
    found = finite(cases.frame, EXPLAINED).filter(pl.col("l0").is_finite())
    if found["l0"].n_unique() < 2:
        return
    joined = grid.named("k") or grid.named("d_sae")
    others = [each for each in grid.parameters if each is not joined]
    series = labelled(found.sort("l0", maintain_order=True), others, "series")
    kept = series.select("cell", "l0", "explained_variance", "series")
    low, high = (float(end) for end in (found["l0"].min(), found["l0"].max()))  # type: ignore[arg-type]  # numbers
    wide = low > 0 and high >= SPREAD_OF_L0 * low
    best = found.sort("explained_variance", descending=True, maintain_order=True).row(0, named=True)
    alt = (
        f"{found.height} cells; L0 from {WRITERS['number'](low)} to {WRITERS['number'](high)}. The "
        f"largest explained variance, {WRITERS['number'](best['explained_variance'])}, is that of "
        f"{best['cell']} at L0 {WRITERS['number'](best['l0'])}."
    )
    caption = "Explained variance against L0: up and to the left is better"
    spec = pareto_chart(kept, L0, EXPLAINED, wide=wide)
    yield Figure("scaling-trade-off", caption, harmless(alt, 2000), spec)
