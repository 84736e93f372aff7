"""What is wrong with the SQL of hypotheses, as far as it can be told without running it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from studyrun.faults.findings import Finding
from studyrun.faults.suggest import nearest
from studyrun.reading import sql
from studyrun.reading.names import unknown_columns
from studyrun.study import Hypothesis
from studyrun.wiring import DATA, place_verdicts, tables_named

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from studyrun.columns import Table
    from studyrun.reading.document import KeyPath
    from studyrun.reading.links import Link
    from studyrun.reading.names import Unknown

__all__ = ["column_faults", "sound_hypotheses", "table_faults"]


def sound_hypotheses(
    document: Any, unsound: Collection[KeyPath]
) -> tuple[list[Hypothesis], list[Finding]]:
    """The hypotheses, with an empty text for SQL that cannot be one's; and what is wrong with it.

    Args:
        document: the study as plain values.
        unsound: paths at which other faults were found; nothing is said of such hypotheses.
    """
    sound, faults = [], list[Finding]()
    given = document.get("hypotheses")
    for name, spec in given.items() if isinstance(given, dict) else ():
        path: KeyPath = ("hypotheses", name)
        if any(other[:2] == path for other in unsound):
            continue
        parts = {part: spec[part] for part in ("given", "expect") if part in spec}
        wrong = list(_sql_faults(path, parts))
        parts |= {str(each.path[-1]): "" for each in wrong}
        faults += wrong
        sound.append(Hypothesis(name, spec["claim"], parts["expect"], parts.get("given")))
    return sound, faults


def table_faults(hypotheses: Sequence[Hypothesis], links: Sequence[Link]) -> list[Finding]:
    """Tables that are not there, or not yet."""
    if not any(each.slot.name != DATA for each in links):
        return []
    return place_verdicts(links, hypotheses)[1]


def column_faults(
    hypotheses: Sequence[Hypothesis], tables: Mapping[str, Table]
) -> Iterator[Finding]:
    """Columns that the tables do not have.

    Args:
        hypotheses: whatever their SQL reads.
        tables: those whose columns are told, by the name that SQL knows them by.
    """
    folded = {name.casefold(): table for name, table in tables.items()}
    for hypothesis in hypotheses:
        for part, text in (("given", hypothesis.given), ("expect", hypothesis.expect)):
            named = {name.casefold(): name for name in tables_named(text or "")}
            for unknown in _unknown(text or "", _known(named, folded)):
                path = ("hypotheses", hypothesis.name, part)
                yield _finding(path, text or "", unknown, named, folded)


def _known(
    named: Collection[str], tables: Mapping[str, Table]
) -> tuple[tuple[str, frozenset[str] | None], ...]:
    """The tables that a text names, with their columns where all of these are told."""
    told = ((name, tables.get(name)) for name in named)
    return tuple(
        (name, frozenset(table.columns) if table and not table.open else None)
        for name, table in told
    )


@cache
def _unknown(
    text: str, known: tuple[tuple[str, frozenset[str] | None], ...]
) -> tuple[Unknown, ...]:
    """Remembered, because every cell of a matrix asks again."""
    told = any(columns is not None for _, columns in known)
    return tuple(unknown_columns(text, dict(known))) if told else ()


def _finding(
    path: KeyPath,
    text: str,
    unknown: Unknown,
    named: Mapping[str, str],
    tables: Mapping[str, Table],
) -> Finding:
    names = [named[table] for table in unknown.tables]
    columns = dict.fromkeys(name for table in unknown.tables for name in tables[table].columns)
    if unknown.is_table:
        allowed = (*names, *columns)
        message = f"no table or column {unknown.name!r} is read here"
    elif len(names) == 1:
        allowed, message = (*columns,), f"table {names[0]!r} has no column {unknown.name!r}"
    else:
        listed = ", ".join(map(repr, names))
        allowed, message = (*columns,), f"none of the tables {listed} has a column {unknown.name!r}"
    within = text[unknown.start : unknown.end]
    return Finding(
        path, message, "hypothesis", allowed=allowed, within=within, at=unknown.start,
        suggestion="".join(nearest(unknown.name, allowed)),
    )  # fmt: skip


def _sql_faults(path: KeyPath, parts: Mapping[str, str]) -> Iterator[Finding]:
    for part, text in parts.items():
        fault = _sql_fault(text)
        if fault is not None:
            yield Finding((*path, part), fault, "hypothesis")


@cache
def _sql_fault(text: str) -> str | None:
    if not (fault := sql.fault_of(text)) and not tables_named(text):
        return "it reads no table; write SELECT <comparison> FROM <step>"
    return fault
