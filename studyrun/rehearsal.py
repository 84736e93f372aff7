"""Hypotheses asked of tables without rows, so that what polars refuses is known before a run.

Unknown functions, types that do not fit and questions that are no yes/no question are refused here.
What such tables answer means nothing, and null is a good answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from studyrun.faults.findings import Finding
from studyrun.reading import sql
from studyrun.running.queries import answer_of, fault_of_answer
from studyrun.running.tables import public_name
from studyrun.wiring import steps_read, tables_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from studyrun.reading.document import KeyPath
    from studyrun.registry import Registry
    from studyrun.wiring import Wiring

__all__ = ["Rehearsal"]

QUOTED = re.compile(r"['\"`](\w+)")
ROWS = (0, 1)
"""A question is refused if none of these numbers of rows lets it be asked: some can only be asked
of a table with a row."""


class Rehearsal:
    """Rehearses the cells of a matrix; what they have alike is asked once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._asked: dict[tuple[str, str], str | None] = {}

    def findings(self, wiring: Wiring) -> Iterator[Finding]:
        """What polars refuses, of SQL over tables whose every column is told.

        Raises:
            PluginError: a component tells a type that polars does not have.
        """
        schemas = self._schemas(wiring)
        for hypothesis in wiring.study.hypotheses:
            for part, text in (("given", hypothesis.given), ("expect", hypothesis.expect)):
                fault = self._fault(text, schemas) if text else None
                if text and fault is not None:
                    yield _finding(("hypotheses", hypothesis.name, part), text, fault)

    def _schemas(self, wiring: Wiring) -> dict[str, pl.Schema]:
        """The tables that hypotheses may read, in small letters, if every column is told."""
        bound = {node.name: node.bound for node in wiring.nodes if node.name == node.step}
        return {
            public_name(step, table).casefold(): schema
            for step in steps_read(wiring.study.hypotheses, [*bound])
            for table, schema in self._registry.schemas(bound[step]).items()
        }

    def _fault(self, text: str, schemas: Mapping[str, pl.Schema]) -> str | None:
        named = {name: schemas.get(name.casefold()) for name in tables_named(text)}
        known = {name: schema for name, schema in named.items() if schema is not None}
        if len(known) < len(named):
            return None
        key = (text, repr(known))
        if key not in self._asked:
            self._asked[key] = _refusal(text, known)
        return self._asked[key]


def _refusal(text: str, schemas: Mapping[str, pl.Schema]) -> str | None:
    """Why it cannot be asked, however many rows there are."""
    fault = None
    for rows in ROWS:
        frames = {name: schema.to_frame().clear(rows) for name, schema in schemas.items()}
        try:
            shape = fault_of_answer(answer_of(text, frames))
            fault = shape and f"it {shape}"
        except ValueError as error:
            fault = str(error)
        if fault is None:
            return None
    return fault


def _finding(path: KeyPath, text: str, fault: str) -> Finding:
    """The fault at the first word of the SQL that it quotes, or of all of it."""
    quoted = set(QUOTED.findall(fault.partition(";")[0]))  # the rest says what would be right
    word = next((each for each in sql.tokens(text) if sql.plain(each.text) in quoted), None)
    if word is None:
        return Finding(path, fault, "hypothesis")
    return Finding(path, fault, "hypothesis", within=word.text, at=word.start)
