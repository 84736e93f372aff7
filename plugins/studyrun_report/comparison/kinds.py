"""Kinds: which share of the features carries a label, and of which kind, over the grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from studyrun_report.blocks import Block, Cell, Column, Figure, Section, Table, Text
from studyrun_report.comparison.cases import Case, Cases
from studyrun_report.comparison.grid_charts import stack_chart
from studyrun_report.comparison.measures import LABELLED, Measure, labelling, share_of
from studyrun_report.comparison.pictures import labelled, over_grid, shown_panels
from studyrun_report.comparison.scaling import alone
from studyrun_report.drawing.palette import ordered
from studyrun_report.writing.text import NOTHING, harmless, share_within

__all__ = ["section"]

TESTED = Measure("tested_share", "Labelled, of those with evidence", "share",
                 ("tested_low", "tested_high"))  # fmt: skip


def section(cases: Cases) -> Section | None:
    """Shares over the grid, the kinds as bars, and all of it as a table."""
    counts = {each.name: each.kinds for each in cases.cases}
    if not any(counts.values()):
        return None
    drawn = (LABELLED, TESTED) if not alone(cases.grid) else (TESTED,)
    blocks: list[Block] = []
    for of in drawn:
        blocks += over_grid(cases, cases.frame, of, f"kinds-{of.column}")
    blocks += [*_picture(cases, counts), _table(cases, counts)]
    lead = (
        "Shares of features with Wilson's 95 % interval. Insufficient: too few problems "
        "to say, which is more often so the more features there are; so the share of labelled "
        "features is given of all, and of those with evidence enough."
    )
    return Section("kinds", "Kinds of features", tuple(blocks), lead)


def _picture(cases: Cases, counts: dict[str, Mapping[str, int]]) -> Iterator[Block]:
    """Stacked bars along x; a panel for each combination of the other parameters."""
    grid = cases.grid
    rows = [
        {"cell": cell, "kind": harmless(kind, 40), "n": n, "share": n / sum(found.values())}
        for cell, found in counts.items()
        for kind, n in found.items()
    ]
    long = pl.DataFrame(rows).join(cases.places(), on="cell", how="left", maintain_order="left")
    others = [each for each in grid.parameters if each is not grid.x] if grid.x else []
    own, panels, left_out = shown_panels(labelled(long, others, "panel"))
    bars = grid.x.field if grid.x else "cell"
    order = list(grid.x.values) if grid.x else own["cell"].unique(maintain_order=True).to_list()
    kept = own.select("cell", *({bars} - {"cell"}), "kind", "n", "share", "panel")
    title = grid.x.title if grid.x else None
    each = f", a panel for each {' and '.join(p.title for p in others)}" if others else ""
    caption = harmless(f"Kinds of features{f' over {title}' if title else ''}{each}")
    alt = "; ".join(f"{cell}: {_listed(found)}" for cell, found in counts.items() if found)
    spec = stack_chart(kept, bars, order, title, panels)
    yield Figure("kinds-stacked", caption, harmless(f"{alt}.", 2000), spec)
    if left_out:
        yield Text(left_out)


def _listed(found: Mapping[str, int]) -> str:
    return ", ".join(f"{found[kind]} {harmless(kind, 40)}" for kind in ordered(found))


def _table(cases: Cases, counts: dict[str, Mapping[str, int]]) -> Table:
    names = ordered(kind for found in counts.values() for kind in found)
    columns = (
        Column("cell", "Cell"),
        Column("features", "Features", numeric=True),
        Column("problems", "Problems", numeric=True, about="On which they were labelled"),
        *(Column(f"kind-{harmless(kind, 40)}", harmless(kind, 40).capitalize(), numeric=True,
                 filter="range") for kind in names),
    )  # fmt: skip
    rows = [_row(each, counts[each.name], names) for each in cases.cases if counts[each.name]]
    note = "Below each count its share with Wilson's 95 % interval."
    caption = "Features by kind"
    return Table("kinds-table", caption, columns, tuple(rows), len(rows), note=note, folded=True)


def _row(case: Case, found: Mapping[str, int], names: list[str]) -> tuple[Cell, ...]:
    total = sum(found.values())
    stored = labelling(case.source)
    problems = stored.artifact.meta.get("n_problems") if stored is not None else None
    shown = NOTHING if problems is None else str(problems)
    first = (Cell(case.name, case.name), Cell(total, str(total)), Cell(problems, shown))
    return (*first, *(_count(found.get(kind, 0), total) for kind in names))


def _count(n: int, total: int) -> Cell:
    share = share_of(n, total)
    return Cell(n, str(n), share_within(share["share"], share["low"], share["high"]))
