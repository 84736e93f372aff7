"""What a report is made of: sections of blocks; `report.json` is these values as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

__all__ = ["Block", "Cell", "Column", "Facts", "Feature", "Figure", "Heading", "Section", "Table",
           "Term", "Terms", "Text", "Verdict", "Verdicts"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """One value and how it is written."""

    value: Any
    """As JSON: number, string, boolean, list or null; null where undefined."""
    shown: str
    """What every view writes."""
    detail: str = ""
    """An interval or a count, written smaller below it."""
    link: str = ""
    """The id of the block that tells more."""


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column."""

    name: str
    title: str
    numeric: bool = False
    about: str = ""
    """What it means, where the title does not say it all."""
    group: str = ""
    """A head above this one and its neighbours of the same group."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; the first column names the row."""

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: int
    """Rows of the whole table, of which `rows` may be the first ones."""
    part: str = ""
    """`20 of 199 rows`; empty where all are shown."""
    note: str = ""
    folded: bool = False
    """Whether a page shows it only when it is asked for."""
    type: Literal["table"] = "table"


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture; `figures/<id>.svg` beside the page."""

    id: str
    caption: str
    alt: str
    """What somebody who cannot see it should know."""
    spec: dict[str, Any]
    """The Vega-Lite specification with its data."""
    texts: tuple[str, ...] = ()
    """Every text in the picture, such as the numbers of its axes."""
    type: Literal["figure"] = "figure"


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of the blocks that follow it."""

    id: str
    text: str
    type: Literal["heading"] = "heading"


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str
    type: Literal["text"] = "text"


@dataclass(frozen=True, slots=True)
class Term:
    """A name and what stands for it."""

    name: str
    shown: str
    code: bool = False
    """To be copied to the letter."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A list of names with their values."""

    terms: tuple[Term, ...]
    type: Literal["terms"] = "terms"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One hypothesis and what became of it."""

    hypothesis: str
    claim: str
    given: str
    """SQL; empty where the study asks for none."""
    expect: str
    """SQL."""
    verdict: str
    reason: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The study's hypotheses, in its order."""

    verdicts: tuple[Verdict, ...]
    type: Literal["verdicts"] = "verdicts"


@dataclass(frozen=True, slots=True)
class Feature:
    """One labelled feature with the problems that drive it most."""

    id: str
    feature: int
    label: str
    kind: str
    evidence: str
    """What the label rests on, in one sentence."""
    controls: str
    """How often the same procedure labels what stands against the feature, in one sentence."""
    problems: Table | None
    type: Literal["feature"] = "feature"


Block = Table | Figure | Heading | Text | Terms | Verdicts | Feature


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    lead: str = ""
    """What the section shows and how to read it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The whole record."""

    title: str
    study: str
    about: str
    summary: tuple[Term, ...]
    """The findings in a few words."""
    sections: tuple[Section, ...]
    written_by: str
    """`studyrun 0.1.0`."""
    format: int = 1

    def blocks(self) -> Iterator[Block]:
        """All blocks, in the order of the page."""
        return (block for section in self.sections for block in section.blocks)

    def map(self, change: Callable[[Block], Block]) -> Facts:
        """The record with every block changed."""
        sections = (replace(s, blocks=tuple(map(change, s.blocks))) for s in self.sections)
        return replace(self, sections=tuple(sections))
