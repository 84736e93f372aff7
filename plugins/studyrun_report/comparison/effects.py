"""Effects: what edits of the model do in each cell, beside their controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from studyrun_report.blocks import Block, Heading, Section, Table
from studyrun_report.comparison.cases import Case, Cases
from studyrun_report.comparison.measures import Measure, share_of
from studyrun_report.comparison.pictures import over_grid
from studyrun_report.effects.edits import alpha, groups, identified, measured, scales, was_measured
from studyrun_report.effects.quantities import Quantity, quantity
from studyrun_report.source import Stored
from studyrun_report.writing.tables import WRITERS, Spec, table_of
from studyrun_report.writing.text import exact, harmless

__all__ = ["section"]

EDITS = (
    Spec("edits", "Edits", "count"),
    Spec("effect_share", "Called an effect", "share", "Larger than in a random direction and above "
         "the noise, with Wilson's 95 % interval over edits", ends=("effect_low", "effect_high")),
    Spec("effects", "Effects", "count", of="effects/edits"),
)  # fmt: skip
EDIT = (
    Spec("n_run", "Run", "count", "Problems run through the model on which the edit acts"),
    Spec("verdict", "Verdict", filter="choice"),
)
SCHEMA = {
    "cell": pl.String, "key": pl.String, "verdict": pl.String,
    "edits": pl.Int64, "effects": pl.Int64, "n_run": pl.Int64,
    "size": pl.Float64, "random": pl.Float64, "q": pl.Float64, "alpha": pl.Float64,
    **{f"effect_{end}": pl.Float64 for end in ("share", "low", "high")},
}  # fmt: skip


def section(cases: Cases) -> Section | None:
    """For each step of the same name a table over cells, and a picture where each has one edit."""
    names: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for case in cases.cases:
        for stored in case.source.of_type("effects"):
            for row in _rows(case, stored):
                names.setdefault((stored.step, row["quantity"]), []).append(row)
    blocks: list[Block] = []
    for number, ((step, name), rows) in enumerate(names.items()):
        blocks += _blocks(cases, step, quantity(name), rows, f"effects-{number}")
    lead = (
        "The mean size of an effect over edits, beside that of the same runs in a random direction "
        "of the same norm. Edits at several scales are compared at the largest."
    )
    return Section("effects", "Effects", tuple(blocks), lead) if blocks else None


def _rows(case: Case, stored: Stored) -> Iterator[dict[str, Any]]:
    """What the first quantity of each effect says of this cell's edits."""
    if stored.table is None or stored.table.is_empty():
        return
    edits = identified(stored.table)
    for group in groups(edits):
        name = next((name for name in group.main if was_measured(edits, name)), None)
        if name is not None:
            own = measured(stored, edits, quantity(name))
            if scales(own):
                own = own.filter(pl.col("scale") == scales(own)[-1])
            level = alpha(case.source, stored)
            row = {"cell": case.name, "key": stored.artifact.key, "quantity": name}
            yield {**row, "alpha": level, **_said(own)}


def _said(own: pl.DataFrame) -> dict[str, Any]:
    """Counts over edits and means; problems and q where there is one edit."""
    called = own["verdict"].drop_nulls()
    n = int((called == "effect").sum())
    share = share_of(n, len(called))
    single: Mapping[str, Any] = own.row(0, named=True) if own.height == 1 else {}
    return {
        "edits": own.height,
        "effects": n if len(called) else None,
        **{f"effect_{end}": value for end, value in share.items()},
        **{name: own[name].fill_nan(None).mean() for name in ("size", "random")},
        **{name: single.get(name) for name in ("n_run", "verdict", "q")},
    }


def _blocks(
    cases: Cases, step: str, of: Quantity, rows: list[dict[str, Any]], id: str
) -> Iterator[Block]:
    frame = pl.DataFrame(rows, SCHEMA, orient="row")
    frame = cases.places().join(frame, on="cell", how="inner", maintain_order="left")
    title = harmless(f"{step}: {of.title}", 120)
    single = bool((frame["edits"] == 1).all())
    yield Heading(f"{id}-title", title)
    if single:
        yield from _picture(cases, frame, of, id)
    yield _table(cases, frame, of, id, single=single)


def _picture(cases: Cases, frame: pl.DataFrame, of: Quantity, id: str) -> Iterator[Block]:
    """The effect minus its control over the parameters on which it depends."""
    idle = _idle(cases, frame)
    rest = [each.field for each in cases.grid.parameters if each.field not in idle]
    distinct = frame.unique(rest, keep="first", maintain_order=True) if idle else frame
    shown = _marked(distinct.with_columns(difference=pl.col("size") - pl.col("random")), of)
    measure = Measure("difference", f"{of.title} minus that in a random direction", of.form)
    levels = " or ".join(exact(level) for level in frame["alpha"].unique().sort())
    note = f"; in parentheses where q is {levels} or more"
    if idle:
        same = " and ".join(each.title for each in cases.grid.parameters if each.field in idle)
        note += f"; it does not depend on {same}"
    yield from over_grid(cases.without(idle), shown, measure, f"{id}-map", note)


def _idle(cases: Cases, frame: pl.DataFrame) -> list[str]:
    """The parameters that leave the stored effects as they are, whatever the others."""
    idle: list[str] = []
    fields = [each.field for each in cases.grid.parameters]
    for field in fields if len(fields) > 1 else ():
        others = [name for name in fields if name != field and name not in idle]
        alike = frame.group_by(others).agg(n=pl.len(), keys=pl.col("key").n_unique())
        if others and (alike["keys"] == 1).all() and (alike["n"] > 1).any():
            idle.append(field)
    return idle


def _marked(frame: pl.DataFrame, of: Quantity) -> pl.DataFrame:
    """With `shown`, in parentheses where it is not told apart from a random direction."""
    write = WRITERS[of.form]
    texts = [
        write(value) if q is not None and q < level else f"({write(value)})"
        for value, q, level in frame.select("difference", "q", "alpha").iter_rows()
    ]
    return frame.with_columns(shown=pl.Series(texts, dtype=pl.String))


def _table(cases: Cases, frame: pl.DataFrame, of: Quantity, id: str, *, single: bool) -> Table:
    parameters = (
        Spec(each.field, each.title, "exact" if each.numeric else "text", filter="choice")
        for each in cases.grid.parameters
    )
    sizes = (
        Spec("size", of.title, of.form, "Mean size over edits", filter="range"),
        Spec("random", "Random", of.form, "The same in a random direction"),
        Spec("q", "q", "probability", "Of the one-sided test against a random direction"),
    )
    specs = (Spec("cell", "Cell"), *parameters, *(EDIT if single else EDITS), *sizes)
    return table_of(frame, specs, id=f"{id}-table", caption=f"{of.title}, cell by cell")
