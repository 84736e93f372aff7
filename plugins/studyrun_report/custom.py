"""Sections of third parties: what they return, made into blocks that cannot harm a page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from studyrun import Artifact, Bound, Paragraph, Picture, PluginError, Rows
from studyrun import Section as Given
from studyrun_report.blocks import Block, Figure, Section, Table, Text
from studyrun_report.drawing.charts import WIDTH, look
from studyrun_report.drawing.pictures import svg
from studyrun_report.source import Source, slug
from studyrun_report.writing.tables import Spec, first_of, plain_specs, table_of
from studyrun_report.writing.text import harmless, plain

__all__ = ["Known", "sections"]

LONG = 4000
SPECIFICATION = re.compile(r"\{.*\}")
ROWS = 1000
"""So many rows of a table are shown."""
LOADING = ("url", "href")
"""Keys of a specification by which a picture loads or opens something."""
DATA = ("values", "datasets")
"""Keys of a specification below which there is nothing but data."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What a section is given (`studyrun.Findings`)."""

    study: Mapping[str, Any]
    artifacts: Mapping[str, Artifact]

    def table(self, name: str) -> pl.DataFrame | None:
        """The table by the name that hypotheses know it by; None where there is none."""
        for step, artifact in self.artifacts.items():
            for own in artifact.table_names:
                if name == (step if own == "table" else f"{step}_{own}"):
                    return artifact.read_table(own)
        return None


def sections(source: Source) -> Iterator[Section]:
    """What each of them says, in the order of the study's `sections`.

    Raises:
        PluginError: one fails, or returns something that cannot be shown; names whose it is.
    """
    known = Known(source.study, {each.step: each.artifact for each in source.stored})
    taken: dict[str, int] = {}
    for bound in source.custom:
        name = slug(bound.component.name)
        taken[name] = taken.get(name, 0) + 1
        identity = f"own-{name}" if taken[name] == 1 else f"own-{name}--{taken[name]}"
        found = _asked(bound, known, identity)
        if found is not None:
            yield found


def _asked(bound: Bound, known: Known, identity: str) -> Section | None:
    component = bound.component
    try:
        given = bound.load()(bound.params, known)
        if given is None:
            return None
        if not isinstance(given, Given):
            raise TypeError(f"returned {type(given).__name__}, not a Section")
        return _section(given, identity)
    except PluginError:
        raise
    except (Exception, SystemExit) as error:  # whatever a plugin raises is the plugin's
        what = f"{type(error).__name__}: {error}"
        raise PluginError(bound.owner, f"section {component.name!r}: {what}") from error


def _section(given: Given, identity: str) -> Section:
    blocks = tuple(
        _block(block, f"{identity}--part-{number}") for number, block in enumerate(given.blocks, 1)
    )
    return Section(identity, harmless(given.title, 120), blocks, harmless(given.lead, LONG))


def _block(given: Paragraph | Rows | Picture, identity: str) -> Block:
    if isinstance(given, Paragraph):
        return Text(harmless(given.text, LONG))
    return _table(given, identity) if isinstance(given, Rows) else _figure(given, identity)


def _table(given: Rows, identity: str) -> Table:
    named = [
        Spec(each.name, harmless(each.title or each.name, 60), each.form, harmless(each.about))
        for each in given.columns
    ]
    table = table_of(
        given.frame.head(ROWS),
        named or plain_specs(given.frame),
        id=identity,
        caption=harmless(given.caption),
        note=harmless(given.note, LONG),
    )
    return first_of(table, given.frame.height)


def _figure(given: Picture, identity: str) -> Figure:
    """The picture in the page's look where it has none of its own; drawn, to see that it works.

    Raises:
        ValueError: it would load or open something, or cannot be drawn.
    """
    spec = dict(given.chart if isinstance(given.chart, Mapping) else given.chart.to_dict())
    loading = sorted(set(_keys(spec)) & set(LOADING))
    if loading:
        raise ValueError(f"{given.caption!r}: a picture must hold its data; it has {loading[0]!r}")
    if "mark" in spec or "layer" in spec:
        spec.setdefault("width", WIDTH)
    spec["config"] = look() | spec.get("config", {})
    shown: dict[str, Any] = plain(spec)
    try:
        svg(shown)
    except ValueError as error:
        raise ValueError(
            f"{given.caption!r}: Vega-Lite cannot draw it: {_reason(error)}"
        ) from error
    return Figure(identity, harmless(given.caption), harmless(given.alt, LONG), shown)


def _reason(error: ValueError) -> str:
    """What Vega-Lite says, without its own code and the whole specification."""
    first, second, *_ = [*str(error).splitlines(), ""]
    return harmless(SPECIFICATION.sub("...", second or first), 200)


def _keys(value: Any) -> Iterator[str]:
    """Every key of a specification, those of data aside."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            if name not in DATA:
                yield from _keys(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _keys(inner)
