"""The concept that a study writes itself, as SQL over the problems' table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from textwrap import shorten

import polars as pl

from studyrun import Concept, Fault
from studyrun_data.columns import PAIRED as PAIRED_TABLE
from studyrun_data.concepts.params import Free
from studyrun_data.table import PROBLEMS

__all__ = ["faults", "free"]

LONGEST = 120
"""Characters of what polars says that are shown."""
PAIRED = PAIRED_TABLE.schema()


def free(problems: pl.DataFrame, params: Free) -> list[Concept]:  # noqa: ARG001  # fixed
    """The one concept; where its SQL is null, it does not hold."""
    return [Concept(params.name, params.kind, pl.sql_expr(params.where).fill_null(value=False))]


def faults(where: str, columns: Sequence[str] | None) -> Iterator[Fault]:
    """Why the SQL is no yes/no property of the problems, as far as can be told without them.

    Args:
        where: the SQL.
        columns: those of the problems; None where there may be others than are known here.
    """
    try:
        expr = pl.sql_expr(where)
    except pl.exceptions.PolarsError as error:
        yield _fault(f"not an SQL expression{_reason(error, where)}")
        return
    schema = PAIRED if columns and "pair" in columns else PROBLEMS
    unknown = [name for name in dict.fromkeys(expr.meta.root_names()) if name not in schema]
    if any(name not in where for name in unknown):
        yield _fault("must be one expression over a problem's columns, without a SELECT in it")
    elif not unknown:
        yield from _of_values(expr, schema, where)
    elif columns is not None:
        for name in unknown:
            message = f"the problems have no column {name!r}"
            yield Fault(("where",), message, tuple(schema), within=name)


def _of_values(expr: pl.Expr, schema: pl.Schema, where: str) -> Iterator[Fault]:
    """What is wrong with the expression's values for problems of which next to nothing is known."""
    steps = pl.Series("steps", [[None, None], []], dtype=schema["steps"])
    problems = pl.DataFrame(schema=schema).clear(2).with_columns(steps)
    try:
        found = problems.select(expr)
    except pl.exceptions.PolarsError as error:
        yield _fault(f"cannot be computed{_reason(error, where)}")
        return
    if found.dtypes != [pl.Boolean]:
        given = " and ".join(map(str, found.dtypes)) or "nothing"
        yield _fault(f"gives {given}, not yes or no; compare it with something")
    elif found.height != problems.height:
        yield _fault("must say yes or no of each problem, not of all together")


def _reason(error: Exception, where: str) -> str:
    """What polars says, in a line; nothing where it only repeats the text."""
    if re.search(r"\bsteps\b", where):
        return "; SQL cannot look inside 'steps', only count them (n_steps)"
    said = str(error).strip().partition("\n")[0]
    return "" if where in said else f": {shorten(said, LONGEST, placeholder=' …')}"


def _fault(message: str) -> Fault:
    return Fault(("where",), message)
