"""The study: what was run, in which order, with what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from studyrun_report.blocks import Block, Section, Table
from studyrun_report.sections.given import given_activations
from studyrun_report.source import Source
from studyrun_report.writing.tables import Spec, table_of

__all__ = ["section"]

KEY_LENGTH = 12
STEPS = (
    Spec("step", "Step"),
    Spec("component", "Component"),
    Spec("version", "Version"),
    Spec("makes", "Makes"),
    Spec("key", "Key", about="The first digits of the content key under which it is stored"),
)
PROBLEMS = (
    Spec("split", "Split"),
    Spec("problems", "Problems", "count"),
)


def section(source: Source) -> Section:
    """The problems by split, and what was made; a run adds what became of every step."""
    return Section("study", "The study", tuple(_blocks(source)))


def _blocks(source: Source) -> Iterator[Block]:
    rows = [*_model(source.study), *_stored(source)]
    frame = pl.DataFrame(rows, schema=dict.fromkeys([spec.name for spec in STEPS], pl.String))
    yield from _problems(source)
    yield from given_activations(source)
    caption = "What was made, in order; the same key means the same bytes"
    yield table_of(frame, STEPS, id="steps", caption=caption, folded=True)


def _model(study: Mapping[str, Any]) -> Iterator[dict[str, str | None]]:
    model = study.get("model")
    if model:
        yield {"step": "model", "component": model.get("use"), "version": model.get("version"),
               "makes": None, "key": None}  # fmt: skip


def _stored(source: Source) -> Iterator[dict[str, str | None]]:
    for each in source.stored:
        component, _, version = each.artifact.manifest.made_by.rpartition(" ")
        yield {"step": each.step, "component": component, "version": version,
               "makes": each.type, "key": each.artifact.key[:KEY_LENGTH]}  # fmt: skip


def _problems(source: Source) -> Iterator[Table]:
    for stored in source.of_type("problems"):
        if stored.has("split") and stored.table is not None:
            counts = stored.table.group_by("split").len("problems").sort("split")
            yield table_of(
                counts,
                PROBLEMS,
                id=f"{stored.slug}-splits",
                caption=source.named(stored, "Problems by split"),
            )
