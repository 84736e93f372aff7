"""Controls: how often the same procedure labels where nothing is to be found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from studyrun_report.blocks import Block, Cell, Column, Figure, Section, Table, Text
from studyrun_report.drawing.charts import controls_chart
from studyrun_report.label_table import NEEDED, labelled
from studyrun_report.sections.stability import stability
from studyrun_report.source import Source, Stored
from studyrun_report.writing.text import (
    NO_BREAK,
    NOTHING,
    average,
    column,
    harmless,
    plain,
    share_within,
)

__all__ = ["section", "under_permutation"]

COLUMNS = ("classifier", "control", "runs", "features", "labelled", "rate", "ci_low", "ci_high",
           "runs_with_any")  # fmt: skip
DATA = "none"
NAMES = {
    DATA: "the study's data",
    "permuted": "labels permuted",
    "matched": "random features",
    "untrained": "untrained model",
}
"""The controls of the step `classify`; others are called what they call themselves."""
WHERE = {
    "permuted": "with labels permuted",
    "matched": "with activations moved to random problems",
    "untrained": "with the model untrained",
}
"""The same within a sentence."""
RATES = ("permuted_rate", "matched_rate")
"""Columns of the labels: in which share of those runs the feature itself is labelled."""


def section(source: Source) -> Section | None:
    """The controls of every labelling, and what became of its features in other SAEs."""
    blocks = tuple(
        block
        for stored in source.of_type("labels")
        for block in (*_controls(source, stored), *stability(source, stored))
    )
    lead = (
        "How often does the same procedure label nothing? A control is data that hold nothing to "
        "find, or nothing that was learnt. Labels mean something as far as there are clearly fewer "
        "of them there."
    )
    return Section("controls", "Controls", blocks, lead) if blocks else None


def under_permutation(stored: Stored) -> str:
    """`0.2 of 512`: labelled with labels permuted, by the study's own classifier; or nothing."""
    frame = _frame(stored)
    if frame is None:
        return ""
    own = frame.filter(pl.col("classifier") == frame["classifier"][0])
    found = own.filter(pl.col("control") == "permuted")
    return f"{average(found['mean'][0])} of {found['features'][0]}" if found.height else ""


def _frame(stored: Stored) -> pl.DataFrame | None:
    """The controls with the `mean` of labels in a run and what the `data` are called."""
    frame = stored.having("controls", *COLUMNS)
    if frame is None:
        return None
    known = frame.drop_nulls(COLUMNS[:5]).filter(pl.col("runs") > 0)
    if known.is_empty():
        return None
    return known.with_columns(
        mean=pl.col("labelled") / pl.col("runs"),
        data=pl.col("control").replace_strict(NAMES, default=pl.col("control")),
    )


def _controls(source: Source, stored: Stored) -> Iterator[Block]:
    frame = _frame(stored)
    if frame is None:
        return
    own = frame["classifier"] == frame["classifier"][0]
    yield Text(harmless(source.named(stored, _sentence(frame.filter(own))), 1000))
    yield from _with_labels(stored)
    for _, others in frame.filter(~own).group_by("classifier", maintain_order=True):
        yield from _doubtful(others)
    if (frame["control"] != DATA).any():
        yield _table(source, stored, frame)
        yield from _picture(source, stored, frame.filter(pl.col("rate").is_finite()))


def _sentence(own: pl.DataFrame) -> str:
    """What one classifier labels in the data, against each of its controls."""
    rows = sorted(own.iter_rows(named=True), key=lambda row: row["control"] != DATA)
    close = _not_fewer(own)
    doubt = f" Not clearly fewer, as the intervals overlap: {_listed(close)}." if close else ""
    without = "" if any(row["control"] != DATA for row in rows) else "; no control was run"
    return f"{own['classifier'][0]} labels {'; '.join(map(_of, rows))}{without}.{doubt}"


def _doubtful(own: pl.DataFrame) -> Iterator[Text]:
    """Said of a classifier compared that labels nothing about as often as something."""
    close = _not_fewer(own)
    if close:
        first = own.row(by_predicate=pl.col("control") == DATA, named=True)
        many = f"{first['classifier']} labels {_of(first)}"
        yield Text(harmless(f"{many}, and not clearly fewer {_listed(close)}."))


def _not_fewer(own: pl.DataFrame) -> list[str]:
    """The controls whose share may be as large as that of the data, if that is any at all."""
    data = own.filter(pl.col("control") == DATA)["ci_low"]
    controls = own.filter(pl.col("control") != DATA)
    if data.is_empty() or not data[0]:
        return []
    return [_where(name) for name in controls.filter(pl.col("ci_high") >= data[0])["control"]]


def _where(control: str) -> str:
    return WHERE.get(control, f"in the control {control}")


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _of(row: Mapping[str, Any]) -> str:
    """`with labels permuted 0.2 of 512 on average (in 1 of 5 runs any at all)`."""
    many = f"{average(row['mean'])} of {row['features']}"
    if row["control"] == DATA:
        return f"{many} features"
    where = _where(row["control"])
    runs = f"in {row['runs_with_any']} of {row['runs']} runs any at all"
    return f"{where} {many}" + (f" on average ({runs})" if row["runs"] > 1 else "")


def _with_labels(stored: Stored) -> Iterator[Text]:
    """How many labelled features some permuted or matched run labels, too."""
    labels = stored.having("table", *NEEDED)
    rates = () if labels is None else [name for name in RATES if name in labels.columns]
    if labels is None or not rates:
        return
    named = labelled(labels).drop_nulls(rates)
    if named.height:
        too = named.filter(pl.any_horizontal(pl.col(rates) > 0)).height
        where = "with labels permuted or activations moved"
        yield Text(f"{too} of the {named.height} labelled features get a label {where}, too.")


def _table(source: Source, stored: Stored, frame: pl.DataFrame) -> Table:
    """A row for each classifier, its controls beside the data."""
    kinds = frame.unique("control", keep="first", maintain_order=True)
    cells = {(row["classifier"], row["control"]): _cell(row) for row in frame.iter_rows(named=True)}
    heads = [
        Column(harmless(row["control"]), _head(row), numeric=True)
        for row in kinds.iter_rows(named=True)
    ]
    columns = (Column("classifier", "Classifier"), *heads)
    rows = tuple(
        (
            Cell(harmless(name), harmless(name)),
            *(cells.get((name, kind), Cell(None, NOTHING)) for kind in kinds["control"]),
        )
        for name in frame["classifier"].unique(maintain_order=True)
    )
    caption = source.named(stored, "Features labelled, in the data and in the controls")
    note = f"Means over the runs, with their share and its 95 % interval.{_strata(stored)}"
    return Table(f"{stored.slug}-controls", caption, columns, rows, len(rows), note=note)


def _strata(stored: Stored) -> str:
    """What the permuted runs leave as it was."""
    strata = stored.artifact.meta.get("strata")
    if not strata:
        return ""
    alike = harmless(_listed([column(str(name)) for name in strata]))
    return (
        f" Labels are permuted between problems with the same {alike}, so what goes with that "
        "stays; a concept that it decides is permuted between all."
    )


def _head(row: Mapping[str, Any]) -> str:
    runs = f" ({row['runs']}{NO_BREAK}runs)" if row["runs"] > 1 else ""
    return harmless(f"{row['data'][:1].upper()}{row['data'][1:]}{runs}")


def _cell(row: Mapping[str, Any]) -> Cell:
    value = {"n": plain(row["mean"])} | {name: plain(row[name]) for name in COLUMNS[2:]}
    shown = f"{average(row['mean'])} of {row['features']}"
    return Cell(value, shown, share_within(row["rate"], row["ci_low"], row["ci_high"]))


def _picture(source: Source, stored: Stored, frame: pl.DataFrame) -> Iterator[Figure]:
    if frame.is_empty():
        return
    caption = source.named(stored, "Share of features labelled, with 95 % intervals")
    told = ", ".join(frame["data"].unique(maintain_order=True))
    alt = harmless(
        f"Points with 95 % intervals, one below the other for {told}; their numbers are those of "
        "the table above.",
        2000,
    )
    yield Figure(f"{stored.slug}-controls-picture", caption, alt, controls_chart(frame))
