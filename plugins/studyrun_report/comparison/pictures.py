"""From measured cells to figures: a map, lines or points, as the grid asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from studyrun_report.blocks import Block, Figure, Text, changed
from studyrun_report.comparison.cases import Cases
from studyrun_report.comparison.grid import Parameter
from studyrun_report.comparison.grid_charts import (
    MOST_SERIES,
    line_chart,
    map_chart,
    point_chart,
    writes,
)
from studyrun_report.comparison.measures import Measure
from studyrun_report.writing.tables import WRITERS
from studyrun_report.writing.text import exact, harmless

__all__ = ["finite", "labelled", "over_grid", "shown_panels"]

MOST_PANELS = 24
ALT = 2000


def over_grid(
    cases: Cases, cells: pl.DataFrame, of: Measure, id: str, note: str = ""
) -> Iterator[Block]:
    """The measure over the whole grid, if at least two cells have it.

    Args:
        cases: with the grid.
        cells: `Cases.frame`, or any with its columns `cell` and parameters and those of `of`.
        of: what is shown.
        id: of the figure.
        note: ends its caption.
    """
    found = finite(cells, of)
    for block in _drawn(cases, found, of, id) if found.height > 1 else ():
        if isinstance(block, Figure):
            yield changed(block, caption=harmless(f"{block.caption}{note}"))
        else:
            yield block


def _drawn(cases: Cases, found: pl.DataFrame, of: Measure, id: str) -> Iterator[Block]:
    grid = cases.grid
    if grid.x is not None and grid.y is not None:
        yield from _map(cases, found, of, id)
    elif grid.x is not None:
        yield from _lines(cases, grid.x, found, of, id)
    else:
        ends = [name for name in ("low", "high") if name in found.columns]
        spec = point_chart(found.select("cell", "value", *ends), of)
        yield Figure(id, f"{of.title}, cell by cell", _extremes(found, of), spec)


def finite(cells: pl.DataFrame, of: Measure) -> pl.DataFrame:
    """The cells with a number, as `value`, with `low` and `high` where there is an interval."""
    ends = dict(zip(("low", "high"), of.ends, strict=False))
    named = {name: pl.col(column) for name, column in ends.items()}
    found = cells.with_columns(value=pl.col(of.column), **named)
    return found.filter(pl.col("value").is_finite())


def labelled(cells: pl.DataFrame, parameters: Sequence[Parameter], name: str) -> pl.DataFrame:
    """With `name`, what the cell has for these: `k 8, d_sae 128`; sorted by them."""
    texts = [_label(row, parameters) for row in cells.iter_rows(named=True)]
    told = cells.with_columns(
        pl.Series(name, texts, dtype=pl.String), *(_place(each) for each in parameters)
    )
    places = [f"_{each.field}" for each in parameters]
    return told.sort(*places, maintain_order=True).drop(*places) if places else told


def _place(parameter: Parameter) -> pl.Expr:
    """Where a cell's value stands among those of the parameter."""
    places = {value: place for place, value in enumerate(parameter.values)}
    found = pl.col(parameter.field).replace_strict(places, return_dtype=pl.Int64)
    return found.alias(f"_{parameter.field}")


def _label(row: dict[str, object], parameters: Sequence[Parameter]) -> str:
    said = ((each.title, row[each.field], each.numeric) for each in parameters)
    return ", ".join(f"{title} {exact(v) if numeric else v}" for title, v, numeric in said)  # type: ignore[arg-type]  # numeric


def shown_panels(cells: pl.DataFrame) -> tuple[pl.DataFrame, list[str], str]:
    """The cells of the first panels, these panels, and a sentence on those left out."""
    panels = cells["panel"].unique(maintain_order=True).to_list()
    shown = panels[:MOST_PANELS]
    left = len(panels) - len(shown)
    said = f"{len(shown)} of {len(panels)} panels are drawn; the table holds all cells."
    return cells.filter(pl.col("panel").is_in(shown)), shown, said if left else ""


def _map(cases: Cases, found: pl.DataFrame, of: Measure, id: str) -> Iterator[Block]:
    grid = cases.grid
    assert grid.x is not None
    assert grid.y is not None
    own, panels, left_out = shown_panels(labelled(found, grid.panels, "panel"))
    if "shown" not in own.columns:
        texts = [WRITERS[of.form](value) for value in own["value"]]
        own = own.with_columns(shown=pl.Series(texts, dtype=pl.String))
    columns = [each.field for each in grid.parameters]
    kept = own.select("cell", *columns, "value", "shown", "panel")
    low, high = (WRITERS[of.form](end) for end in (own["value"].min(), own["value"].max()))
    between = f"from {low} to {high}" if low != high else f"{low} everywhere"
    about = [f"{of.title} over {grid.x.title} and {grid.y.title}, {between}"]
    about += ["orange where it is negative"] * bool((own["value"] < 0).any())
    about += [] if writes(grid.x, len(panels)) else ["white at the smallest, the darker the larger"]
    size = f"A grid of {len(grid.y.values)} by {len(grid.x.values)}"
    many = f", {len(panels)} times" if len(panels) > 1 else ""
    alt = f"{size}{many}. {_extremes(own, of)}"
    spec = map_chart(kept, grid.x, grid.y, panels)
    yield Figure(id, harmless(", ".join(about)), harmless(alt, ALT), spec)
    if left_out:
        yield Text(left_out)


def _lines(
    cases: Cases, x: Parameter, found: pl.DataFrame, of: Measure, id: str
) -> Iterator[Block]:
    """A line for each combination of the other parameters; a panel for each where they are many."""
    series = labelled(found, cases.grid.panels, "series").sort(x.field, maintain_order=True)
    series = labelled(series, cases.grid.panels, "series")
    few = series["series"].n_unique() <= MOST_SERIES
    split = series.with_columns(panel=pl.lit("") if few else pl.col("series"))
    split = split if few else split.with_columns(series=pl.lit(""))
    own, panels, left_out = shown_panels(split)
    ends = [name for name in ("low", "high") if name in own.columns]
    kept = own.select("cell", x.field, "value", *ends, "series", "panel")
    caption = harmless(f"{of.title} over {x.title}")
    yield Figure(id, caption, harmless(_extremes(own, of), ALT), line_chart(kept, x, of, panels))
    if left_out:
        yield Text(left_out)


def _extremes(found: pl.DataFrame, of: Measure) -> str:
    """Where it is smallest and where it is largest."""
    ordered = found.sort("value", maintain_order=True)
    write = WRITERS[of.form]
    low, high = (ordered.row(at, named=True) for at in (0, -1))
    if low["value"] == high["value"]:
        return f"{of.title} is {write(low['value'])} in all {found.height} cells."
    return (
        f"{of.title} is smallest in {low['cell']}, {write(low['value'])}, and largest in "
        f"{high['cell']}, {write(high['value'])}; {found.height} cells."
    )
