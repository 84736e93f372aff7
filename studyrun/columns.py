"""`Table`: the columns of a table, told before it is made; the one source of its polars schema.

Light: types are told as polars writes them (`UInt32`, `List(String)`), and polars is imported only
by who asks for the schema.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Table", "table_faults"]

TABLE = re.compile(r"[a-z][a-z0-9_]*")
TYPE = re.compile(r"[A-Z]\w*(\(.*\))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a table, in order."""

    columns: Mapping[str, str]
    """Column -> its type as polars writes it, e.g. `Float64`."""
    open: bool = False
    """There may be more columns, which nobody can tell beforehand."""

    def schema(self) -> pl.Schema:
        """The schema for polars, for whoever makes the table.

        Raises:
            ValueError: a type is none of polars'.
        """
        import polars as pl

        return pl.Schema({name: _type(text) for name, text in self.columns.items()})


def table_faults(found: Any) -> list[str]:
    """Every way in which what a component says of its tables is no mapping of names to tables."""
    if not isinstance(found, Mapping):
        return [f"returned {type(found).__name__}, not a mapping of names to Table records"]
    faults = []
    for name, table in found.items():
        if not (isinstance(name, str) and TABLE.fullmatch(name)):
            faults.append(f"{name!r} is no name of a table")
        elif not isinstance(table, Table) or not isinstance(table.columns, Mapping):
            faults.append(f"{name!r} is {type(table).__name__}, not a Table record")
        else:
            faults += [f"{name!r}: {fault}" for fault in _column_faults(table)]
    return faults


def _column_faults(table: Table) -> list[str]:
    return [
        f"column {name!r} has the type {text!r}; write it as polars does, e.g. 'UInt32'"
        for name, text in table.columns.items()
        if not (isinstance(name, str) and isinstance(text, str) and TYPE.fullmatch(text))
    ]


def _type(text: str) -> Any:
    """The polars type of its text: `_type(str(dtype)) == dtype`."""
    import polars as pl

    try:
        found = _built(ast.parse(text, mode="eval").body)
    except (SyntaxError, TypeError, ValueError) as error:
        raise ValueError(f"{text!r} is no type of polars") from error
    if not isinstance(found, pl.DataType):
        raise ValueError(f"{text!r} is no type of polars")
    return found


def _built(node: ast.expr) -> Any:
    """A type, or one of its arguments, from the expression that writes it."""
    import polars as pl

    match node:
        case ast.Name(name) if _is_type(name):
            return getattr(pl, name)()
        case ast.Call(ast.Name(name), arguments, keywords) if _is_type(name):
            given = {str(each.arg): _built(each.value) for each in keywords}
            return getattr(pl, name)(*map(_built, arguments), **given)
        case ast.Dict(keys, values):
            fields = zip(keys, values, strict=True)
            return {ast.literal_eval(key): _built(value) for key, value in fields if key}
        case _:
            return ast.literal_eval(node)


def _is_type(name: str) -> bool:
    import polars as pl

    found = getattr(pl, name, None)
    return isinstance(found, type) and issubclass(found, pl.DataType)
