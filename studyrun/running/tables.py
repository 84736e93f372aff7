"""The names by which SQL and `tables/` know a run's tables: `<step>` and `<step>_<name>`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun.artifacts import MAIN_TABLE
from studyrun.errors import StudyError
from studyrun.reading.keywords import VARIANT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import polars as pl

    from studyrun.artifacts import Artifact

__all__ = ["places", "public_name", "read"]


def public_name(step: str, table: str) -> str:
    """`ablation` for its main table, `labels_top_problems` for another."""
    return step if table == MAIN_TABLE else f"{step}_{table}"


def places(by_step: Mapping[str, Artifact]) -> dict[str, tuple[str, str]]:
    """Where every table is: public name -> (step, table name); those of variants have none.

    Raises:
        StudyError: two tables have one name; it says which step to rename.
    """
    found: dict[str, tuple[str, str]] = {}
    for step, artifact in by_step.items():
        if VARIANT in step:
            continue
        for table in artifact.table_names:
            name = public_name(step, table)
            if name in found:
                raise StudyError(
                    f"table {name!r} is made by the steps {found[name][0]!r} and {step!r}; "
                    "give one of them another name"
                )
            found[name] = (step, table)
    return found


def read(
    by_step: Mapping[str, Artifact], names: Collection[str] | None = None
) -> dict[str, pl.DataFrame]:
    """The tables of those names, in any case of letters as in SQL; all of them if None."""
    wanted = None if names is None else {name.casefold() for name in names}
    return {
        name: by_step[step].read_table(table)
        for name, (step, table) in places(by_step).items()
        if wanted is None or name.casefold() in wanted
    }
