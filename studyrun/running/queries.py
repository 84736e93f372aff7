"""One SELECT put to tables, and whether what comes back can be an answer to a yes/no question."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

__all__ = ["answer_of", "fault_of_answer"]


def answer_of(query: str, frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The rows that polars finds; ValueError with its complaint in one line."""
    import polars as pl

    try:
        with pl.SQLContext(frames, eager=True) as context:
            found = context.execute(query)
            assert isinstance(found, pl.DataFrame)
            return found
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ValueError(str(error).partition("\n")[0]) from error


def fault_of_answer(found: pl.DataFrame) -> str | None:
    """Why it is not one yes or no; None if it is. No row, and a null, may be one."""
    import polars as pl

    if found.width != 1:
        return f"gave {found.width} columns ({', '.join(found.columns)}); select one comparison"
    if found.height > 1:
        return f"gave {found.height} rows; it must give one: aggregate with min, avg, count ..."
    if found.dtypes[0] not in (pl.Boolean, pl.Null):
        return f"gave {found.dtypes[0]}, not true or false; compare it, as in `avg(x) >= 0.7`"
    return None
