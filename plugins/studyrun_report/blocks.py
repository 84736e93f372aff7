"""What a report is made of: sections of blocks; `report.json` is these values as JSON.

`schemas/report.schema.json` is made from these classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

__all__ = ["Bars", "Block", "Cell", "Column", "Facts", "FeaturePage", "Features",
           "Figure", "Heading", "Layout", "Problem", "Ran", "RanStep", "Rows", "Sample",
           "Samples", "Section", "Table", "Term", "Terms", "Text", "Verdict", "Verdicts",
           "changed"]  # fmt: skip

changed = msgspec.structs.replace
"""A value of these with some fields changed."""


class Value(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A value of the record."""


class Cell(Value, frozen=True):
    """One value and how it is written."""

    value: Any
    """As JSON: number, string, boolean, list or null; null where undefined."""
    shown: str
    """What every view writes."""
    detail: str = ""
    """An interval or a count, written smaller below it."""
    link: str = ""
    """The id of the block or feature that tells more, or a page beside this one, `.../a.html`."""


Rows = tuple[tuple[Cell, ...], ...]


class Column(Value, frozen=True):
    """The head of a column."""

    name: str
    title: str
    numeric: bool = False
    about: str = ""
    """What it means, where the title does not say it all."""
    group: str = ""
    """A head above this one and its neighbours of the same group."""
    filter: Literal["", "choice", "range"] = ""
    """How a page lets its reader choose rows: one of the values, or from and to."""


class Piece(Value, frozen=True, tag_field="type", tag=str.lower):
    """A block of a section."""

    @property
    def type(self) -> str:
        """Its name in the record."""
        return str(self.__struct_config__.tag)


class Table(Piece, frozen=True):
    """Rows of cells; the first column names the row."""

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: Rows
    total: int
    """Rows of the whole table, of which `rows` may be the first ones."""
    part: str = ""
    """`20 of 199 rows`; empty where all are shown."""
    note: str = ""
    folded: bool = False
    """Whether a page shows it only when it is asked for."""


class Figure(Piece, frozen=True):
    """A picture; `figures/<id>.svg`, `.png` and `.csv` beside the page."""

    id: str
    caption: str
    alt: str
    """What somebody who cannot see it should know."""
    spec: dict[str, Any]
    """The Vega-Lite specification with its data."""
    texts: tuple[str, ...] = ()
    """Every text in the picture, such as the numbers of its axes."""


class Heading(Piece, frozen=True):
    """The title of the blocks that follow it."""

    id: str
    text: str


class Text(Piece, frozen=True):
    """A paragraph."""

    text: str


class Term(Value, frozen=True):
    """A name and what stands for it."""

    name: str
    shown: str
    code: bool = False
    """To be copied to the letter."""


class Terms(Piece, frozen=True):
    """A list of names with their values."""

    terms: tuple[Term, ...]


class Verdict(Value, frozen=True):
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


class Verdicts(Piece, frozen=True):
    """The study's hypotheses, in its order."""

    verdicts: tuple[Verdict, ...]


class Problem(Value, frozen=True):
    """A problem that feature pages speak of."""

    id: str
    question: str
    steps: tuple[str, ...] = ()
    """`20*3=60`, in order."""
    answer: str = ""


class Bars(Value, frozen=True):
    """A histogram of equal bins."""

    low: str
    """The first bin's lower end, as written."""
    high: str
    """The last bin's upper end, as written."""
    counts: tuple[int, ...]
    alt: str
    """What somebody who cannot see it should know."""


class Sample(Value, frozen=True):
    """A problem with the feature's activation on it."""

    problem: int
    """Which of `Features.problems`."""
    activation: str
    """As written."""
    share: float
    """Of the feature's largest |activation|, 0 to 1; the length of a bar."""
    marked: tuple[int, ...] = ()
    """The steps in which the feature's concept occurs."""


class Samples(Value, frozen=True):
    """Problems of one part of a feature's activations."""

    title: str
    """`Strongest`, `Middle fifth`, ..."""
    samples: tuple[Sample, ...]


class Layout(Value, frozen=True):
    """The head of a table that every feature page may have."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    note: str = ""


class FeaturePage(Value, frozen=True):
    """Everything about one feature."""

    id: str
    """`feature-156`; with the step before it where a study has several labellings."""
    feature: int
    label: str = ""
    """Empty where it has none."""
    kind: str = ""
    verdict: str = ""
    terms: tuple[Term, ...] = ()
    """Its rank, its frequency, its mean activation."""
    evidence: str = ""
    """What the label rests on, in one sentence."""
    controls: str = ""
    """How often the same procedure labels what stands against the feature, in one sentence."""
    histogram: Bars | None = None
    samples: tuple[Samples, ...] = ()
    tables: dict[str, Rows] = {}
    """Rows by the name of their layout."""


class Features(Piece, frozen=True):
    """Every feature of one labelling: a row each, and a page each."""

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: Rows
    """The first cell is the feature; its link is its page's id."""
    layouts: tuple[Layout, ...] = ()
    """In the order of a page."""
    problems: tuple[Problem, ...] = ()
    pages: tuple[FeaturePage, ...] = ()
    elsewhere: dict[str, str] = {}
    """Page's id -> the file beside the page in which it stands, for those not in `pages`; the
    record of `features/513-1024.html` is `features/513-1024.json.gz`."""
    note: str = ""


Block = Table | Figure | Heading | Text | Terms | Verdicts | Features


class Section(Value, frozen=True):
    """One part of the page."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    lead: str = ""
    """What the section shows and how to read it."""


class RanStep(Value, frozen=True):
    """What became of one step in the run that shows the page."""

    step: str
    component: str
    status: str
    """`ran`, `reused`, `failed`, `blocked`, `interrupted` or `not reached`."""
    why: str
    seconds: float | None
    took: str
    """The seconds as written; empty where it did not run."""
    reads: tuple[str, ...]
    """The steps that it reads."""


class Ran(Value, frozen=True):
    """The run that shows the page; everything else in the record does not depend on it."""

    steps: tuple[RanStep, ...]
    terms: tuple[Term, ...]
    """When, where, with what: command, machine, versions, commit."""
    alt: str
    """The picture of the steps in words."""


class Facts(Value, frozen=True, omit_defaults=False):
    """The whole record."""

    title: str
    study: str
    about: str
    summary: tuple[Term, ...]
    """The findings in a few words."""
    sections: tuple[Section, ...]
    written_by: str
    """`studyrun 0.1.0`."""
    format: int = 2
    run: Ran | None = None
    """Filled in where a run shows the page."""

    def blocks(self) -> Iterator[Block]:
        """All blocks, in the order of the page."""
        return (block for section in self.sections for block in section.blocks)

    def map(self, change: Callable[[Block], Block]) -> Facts:
        """The record with every block changed."""
        sections = (changed(s, blocks=tuple(map(change, s.blocks))) for s in self.sections)
        return changed(self, sections=tuple(sections))
