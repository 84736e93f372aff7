"""Effects: what each step's edits change, beside their controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from studyrun_report.blocks import Block, Heading, Section, Text
from studyrun_report.effects.edits import identified
from studyrun_report.sections.doses import doses
from studyrun_report.sections.effect_controls import overview
from studyrun_report.sections.effect_tables import others, tables
from studyrun_report.sections.evidence import evidence
from studyrun_report.sections.reconstructions import reconstruction
from studyrun_report.sections.sites import maps
from studyrun_report.source import Source, Stored
from studyrun_report.writing.text import harmless

__all__ = ["section"]


def section(source: Source) -> Section | None:
    """Of every step that made effects, what they are, what they rest on, or why there are none."""
    blocks = tuple(
        block for stored in source.of_type("effects") for block in _effects(source, stored)
    )
    lead = (
        "What changes when something is edited and everything else is left alone. An effect means "
        "something where it is larger than the same edit in a random direction, at another "
        "position, or of comparable features, and above what is measured where nothing is edited."
    )
    return Section("effects", "Effects", blocks, lead) if blocks else None


def _effects(source: Source, stored: Stored) -> Iterator[Block]:
    table = stored.table
    if table is None:
        return
    if table.is_empty():
        reason = stored.artifact.meta.get("reason") or "no edit was made"
        yield Text(harmless(f"{stored.step}: {reason}."))
        return
    edits = identified(table)
    yield Heading(f"{stored.slug}-effects", harmless(stored.step))
    yield Text(harmless(_made(stored, table), 1000))
    yield from overview(stored)
    yield from reconstruction(source, stored, edits)
    yield from tables(source, stored, edits)
    yield from doses(stored, edits)
    yield from maps(source, stored, edits)
    yield from evidence(source, stored, edits)
    yield from others(source, stored, table)


def _made(stored: Stored, table: pl.DataFrame) -> str:
    """What was edited by what, and where: `3 edits by ablate on 80 train problems, at ...`."""
    meta = stored.artifact.meta
    component = stored.artifact.manifest.made_by.rpartition(" ")[0]
    many = f"{table.height} edit{'s' * (table.height != 1)} by {component}"
    on = f" on {meta['n']} {meta['split']} problems" if {"n", "split"} <= set(meta) else ""
    places = ", ".join(filter(None, (_at(meta, "layer"), _at(meta, "position"))))
    at = f", at {places}" if places else ""
    lent = _lent(meta)
    return f"{many}{on}{at}.{lent}"


def _at(meta: Mapping[str, Any], name: str) -> str:
    """`layer 14`, `layers 3, 9, 14`."""
    several = meta.get(f"{name}s")
    if isinstance(several, list) and len(several) > 1:
        return f"{name}s {', '.join(map(str, several))}"
    one = several[0] if isinstance(several, list) and several else meta.get(name)
    return "" if one is None else f"{name} {one}"


def _lent(meta: Mapping[str, Any]) -> str:
    """What a problem and the one whose residual it is given have in common."""
    same, differ = (meta.get(name) for name in ("same", "differ"))
    if not isinstance(same, list) or not isinstance(differ, list):
        return ""
    alike = f"have the same {_listed(same)}" if same else "may differ in anything"
    apart = f" and another {_listed(differ)}" if differ else ""
    return f" A problem and the one whose residual it is given {alike}{apart}."


def _listed(names: Sequence[Any]) -> str:
    return " and ".join(str(name) for name in names)
