"""`studyrun show`: which table of a run, which rows and columns of it, and in which view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studyrun.cli.finding import one_cell
from studyrun.cli.grid import fitted
from studyrun.cli.outcome import spoken
from studyrun.cli.terminal import harmless, named, paint, width, wrapped
from studyrun.cli.values import as_columns, as_csv, as_json
from studyrun.errors import UsageError
from studyrun.faults.suggest import did_you_mean
from studyrun.reading import sql
from studyrun.reading.keywords import VARIANT
from studyrun.running.tables import places, public_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from studyrun.artifacts import Artifact
    from studyrun.runs import Run

__all__ = ["OVERVIEW", "Question", "overview", "table_text"]

OVERVIEW = "summary"
"""What `TABLE` is where nothing is named."""

ROWS = 20
"""Shown of a table where nobody says how many."""
HIDDEN = 24
"""So many of the columns that do not fit are named."""
NAMED = 12
"""So many columns are named in a message."""


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to see of a table; nothing of this is asked if it equals `Question()`."""

    where: str | None = None
    """SQL, a condition on a row."""
    sort: str | None = None
    """SQL, what follows ORDER BY."""
    columns: tuple[str, ...] = ()
    """All of them if empty."""
    limit: int | None = None
    """Rows; None: 20 on a terminal, all elsewhere."""


def overview(run: Run, view: str) -> str:
    """Every table of a cell: name, rows, columns; of a matrix without a cell, its cells."""
    import polars as pl

    if len(run.cells) > 1:
        frame = pl.DataFrame({"cell": [*run.cells]})
    else:
        stored = one_cell(run, None).plain
        frame = pl.DataFrame([_facts(stored, *place) for place in places(stored).values()])
    head = f"{run.record['study']} {run.record['run']}: {run.status}"
    if view != "table":
        return _others(frame, view)
    if "columns" in frame.columns:
        frame = frame.with_columns(pl.col("columns").list.join(", "))
    return "\n".join([paint(harmless(head), "bold"), *_lines(frame, ["columns"])])


def _facts(artifacts: Mapping[str, Artifact], step: str, table: str) -> dict[str, Any]:
    import polars as pl

    artifact = artifacts[step]
    stored = pl.scan_parquet(artifact.file(f"{table}.parquet"))
    return {
        "table": public_name(step, table),
        "rows": stored.select(pl.len()).collect().item(),
        "type": artifact.manifest.type,
        "columns": stored.collect_schema().names(),
    }


def table_text(cell: Run, what: str, question: Question, view: str) -> str:
    """A table of one cell, or those of its rows and columns that are asked for.

    Args:
        cell: without a matrix of its own.
        what: a table's name, or a type of artifact (`labels`) that one step makes.
        question: which of it.
        view: `table`, `json` or `csv`.

    Raises:
        UsageError: there is no such table or column, or the SQL is wrong.
    """
    name = _table_of(cell, what)
    found = _found(cell, name, question)
    chosen = found.select(_known(question.columns, found, name)) if question.columns else found
    most = ROWS if question.limit is None and view == "table" else question.limit
    part = chosen if most is None else chosen.head(most)
    if view != "table":
        return _others(part, view)
    rows = f"{part.height} of {found.height}" if part.height < found.height else str(found.height)
    head = f"{name}: {rows} row{'s' * (found.height != 1)}"
    head += f" where {harmless(question.where)}" if question.where else ""
    asked = _names_in(question, found)
    every = bool(question.columns)
    lines = [paint(head, "bold"), *_lines(part, asked, every=every)]
    more = found.height - part.height
    return "\n".join([*lines, *([paint(f"{more} more (--limit)", "dim")] if more else ())])


def _others(frame: pl.DataFrame, view: str) -> str:
    return as_json(frame) if view == "json" else as_csv(frame)


def _lines(frame: pl.DataFrame, asked: Sequence[str], *, every: bool = False) -> list[str]:
    """The table as far as it fits, and what is left out; one row as a list of its values."""
    columns = as_columns(frame, asked)
    if not frame.height:
        return wrapped(f"its columns: {', '.join(column.name for column in columns)}", "  ")
    grid = fitted(columns, width(), every=every)
    if frame.height == 1 and grid.hidden:
        widest = max(len(column.name) for column in columns)
        pairs = ((column.name.ljust(widest), column.cells[0]) for column in columns)
        return [line for name, value in pairs for line in wrapped(value, f"  {name}  ")]
    hidden = f"{len(grid.hidden)} hidden (--columns): {named(grid.hidden, HIDDEN)}"
    return [*grid.lines(), *(paint(line, "dim") for line in wrapped(hidden) if grid.hidden)]


# Which table


def _table_of(cell: Run, what: str) -> str:
    """The public name of the table that is meant."""
    stored = cell.plain
    there = places(stored)
    names = {name.casefold(): name for name in there}
    if what.casefold() in names:
        return names[what.casefold()]
    made = [step for step in stored if VARIANT not in step and stored[step].manifest.type == what]
    made = made or [step for step in stored if step == what]
    meant = [names[step.casefold()] for step in made if step.casefold() in names]
    meant = meant or [name for name, (step, _) in there.items() if step in made]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise UsageError(f"{what!r} may be any of {', '.join(meant)}; show one of them")
    if made:
        raise UsageError(f"there is no table {what!r}: the step {made[0]!r} stored none")
    raise UsageError(_missing(cell, what, list(names.values())))


def _missing(cell: Run, what: str, names: Sequence[str]) -> str:
    steps = cell.record["cells"][cell.cell]["steps"]
    for name, entry in steps.items():
        if what in (name, entry["type"]) and name not in cell:
            became = spoken(entry["status"])
            return f"there is no table {what!r}: the step {name!r} ({became}) stored nothing"
    types = {entry["type"] for entry in steps.values()}
    hint = did_you_mean(what, [*names, *types])
    return f"the run has no table {what!r}{hint} (without a name, all are listed)"


# Which rows and columns


def _found(cell: Run, name: str, question: Question) -> pl.DataFrame:
    query = f'SELECT * FROM "{name}"'
    frame = _ask(cell, query, name, "", "")
    if question.where:
        query += f" WHERE ({question.where}\n)"
        frame = _ask(cell, query, name, "--where", question.where, frame.columns)
    if question.sort:
        query += f" ORDER BY {question.sort}"
        frame = _ask(cell, query, name, "--sort", question.sort, frame.columns)
    return frame


def _ask(
    cell: Run, query: str, name: str, option: str, text: str, columns: Sequence[str] = ()
) -> pl.DataFrame:
    """What the SQL finds; its last clause is what an option gave."""
    from polars.exceptions import PanicException, PolarsError

    try:
        return cell.sql(query)
    except (PolarsError, PanicException) as error:
        said = _said(str(error))
    words = [word for word in sql.tokens(text) if word.sort in ("word", "quoted")]
    unknown = [w for w in words if sql.plain(w.text) not in columns and sql.plain(w.text) in said]
    if not unknown or "unable to find column" not in said:
        raise UsageError(f"{option} {text!r}: {said}")
    word = unknown[0]
    cure = _no_column(sql.plain(word.text), name, columns)
    if word.sort == "quoted":
        cure += f"; a text stands in single quotes: '{sql.plain(word.text)}'"
    raise UsageError(f"{option} {text!r}: {cure}")


def _said(message: str) -> str:
    """Its first line, told of the text that was given instead of the query that it stands in."""
    said, _, place = message.partition("\n")[0].partition(" at Line: ")
    return said.replace("found: )", "found: its end") if place.startswith("2,") else said


def _known(wanted: Sequence[str], found: pl.DataFrame, name: str) -> list[str]:
    for column in wanted:
        if column not in found.columns:
            raise UsageError(f"--columns: {_no_column(column, name, found.columns)}")
    return list(dict.fromkeys(wanted))


def _no_column(column: str, name: str, columns: Sequence[str]) -> str:
    hint = did_you_mean(column, columns)
    there = "" if hint else f" (it has {named(columns, NAMED)})"
    return f"{name} has no column {column!r}{hint}{there}"


def _names_in(question: Question, found: pl.DataFrame) -> list[str]:
    """The columns that the conditions speak of."""
    asked = sql.names_in(f"{question.where or ''} {question.sort or ''}")
    return [column for column in found.columns if column in asked]
