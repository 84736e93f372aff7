"""Provenance: what it takes to get the same bytes again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from studyrun_report.blocks import Section, Table, Term, Terms
from studyrun_report.source import Source
from studyrun_report.writing.tables import Spec, table_of
from studyrun_report.writing.text import harmless

__all__ = ["section"]

PARAMETERS = (
    Spec("step", "Step"),
    Spec("parameter", "Parameter"),
    Spec("value", "Value"),
)
KEYS = (
    Spec("step", "Step"),
    Spec("made_by", "Made by"),
    Spec("key", "Key"),
)


def section(source: Source) -> Section:
    """The seed, every parameter and every key; a run adds the command, the machine and versions."""
    lead = (
        "The study with these parameters, seeds and versions makes artifacts with these keys. The "
        "file run.json beside this page holds everything that is known of the run."
    )
    blocks = (Terms(tuple(_terms(source.study))), _parameters(source), _keys(source))
    return Section("provenance", "Provenance", blocks, lead)


def _terms(study: Mapping[str, Any]) -> Iterator[Term]:
    yield Term("Seed", harmless(str(study.get("seed", 0))))
    dtype = (study.get("runtime") or {}).get("dtype")
    if dtype:
        yield Term("Floating-point type", harmless(str(dtype)))
    cell = study.get("cell")
    if cell:
        text = cell.get("name", "") if isinstance(cell, Mapping) else str(cell)
        yield Term("Cell of the matrix", harmless(text))


def _parameters(source: Source) -> Table:
    rows = [
        {"step": step, "parameter": name, "value": _written(value)}
        for step, spec in _specified(source.study)
        for name, value in (spec.get("with") or {}).items()
    ]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(("step", "parameter", "value"), pl.String))
    caption = "Every parameter, defaults included"
    return table_of(frame, PARAMETERS, id="parameters", caption=caption, folded=True)


def _specified(study: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for section_name in ("model", "data"):
        if study.get(section_name):
            yield section_name, study[section_name]
    yield from (study.get("steps") or {}).items()


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _keys(source: Source) -> Table:
    rows = [
        {"step": each.step, "made_by": each.artifact.manifest.made_by, "key": each.artifact.key}
        for each in source.stored
    ]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(("step", "made_by", "key"), pl.String))
    caption = "Content keys of everything this rests on"
    return table_of(frame, KEYS, id="keys", caption=caption, folded=True)
