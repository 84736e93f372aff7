"""What a third party adds to the report: the contract of components of kind `section`.

A section's target is called when the report is made, with its parameters and the study's findings.
It returns what is to be shown as values; how that looks on a page, in text and in the record is the
report's. Nothing here imports polars or altair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

if TYPE_CHECKING:
    import polars as pl

    from studyrun.artifacts import Artifact

__all__ = [
    "ColumnTitle",
    "Findings",
    "Form",
    "Paragraph",
    "Picture",
    "Rows",
    "Section",
    "SectionSource",
]

Form = Literal["text", "number", "share", "probability", "count"]
"""How values are written: as they are, to three digits, as a percentage, as a p value, whole."""


@dataclass(frozen=True, slots=True)
class ColumnTitle:
    """How one column of `Rows` is shown."""

    name: str
    """The column of the frame."""
    title: str = ""
    """Its head; the name if left out."""
    form: Form = "text"
    about: str = ""
    """What it means and its unit, where the title does not say it all."""

    def __post_init__(self) -> None:
        if self.form not in get_args(Form):
            known = ", ".join(get_args(Form))
            raise ValueError(f"column {self.name!r}: form {self.form!r} is not one of {known}")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text; what looks like HTML or Markdown is shown as it is written."""

    text: str

    def __post_init__(self) -> None:
        _must_be_text("a paragraph", text=self.text)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A table: every row of the frame, the first column names the row."""

    frame: pl.DataFrame
    caption: str
    columns: tuple[ColumnTitle, ...] = ()
    """Those that are shown, in order; every column under its own name if left out."""
    note: str = ""
    """Written below the table."""

    def __post_init__(self) -> None:
        _must_be_text("a table", caption=self.caption, note=self.note)
        if not hasattr(self.frame, "get_column"):  # what a DataFrame alone has
            found = type(self.frame).__name__
            raise TypeError(f"{self.caption!r}: {found} is no polars DataFrame")
        known = self.frame.columns
        for column in self.columns:
            if not isinstance(column, ColumnTitle):
                raise TypeError(f"{self.caption!r}: column {column!r} is no ColumnTitle")
            if column.name not in known:
                raise ValueError(
                    f"{self.caption!r}: the frame has no column {column.name!r}; "
                    f"it has {', '.join(known)}"
                )


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A chart, drawn into the page and stored as a figure of its own."""

    chart: Any
    """An Altair chart, or a Vega-Lite specification as a mapping, with its data inside."""
    caption: str
    alt: str
    """What somebody who cannot see it should know."""

    def __post_init__(self) -> None:
        _must_be_text("a picture", caption=self.caption, alt=self.alt)
        if not isinstance(self.chart, Mapping) and not hasattr(self.chart, "to_dict"):
            found = type(self.chart).__name__
            raise TypeError(f"{self.caption!r}: {found} is no Altair chart and no specification")
        if not self.alt.strip():
            raise ValueError(f"{self.caption!r}: a picture needs `alt`, what it shows in words")


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """One part of the report, with a title of its own."""

    title: str
    blocks: tuple[Paragraph | Rows | Picture, ...]
    lead: str = ""
    """What the section shows and how to read it, in a sentence or two."""

    def __post_init__(self) -> None:
        _must_be_text("a section", title=self.title, lead=self.lead)
        if not self.title.strip():
            raise ValueError("a section needs a title")
        if isinstance(self.blocks, Paragraph | Rows | Picture):
            raise TypeError(f"{self.title!r}: blocks are a tuple, of one block too: (block,)")
        for block in self.blocks:
            if not isinstance(block, Paragraph | Rows | Picture):
                found = type(block).__name__
                raise TypeError(f"{self.title!r}: {found} is no Paragraph, Rows or Picture")


def _must_be_text(whose: str, **given: object) -> None:
    for name, value in given.items():
        if not isinstance(value, str):
            raise TypeError(f"{whose}: its {name} is {type(value).__name__}, not text")


class Findings(Protocol):
    """What a section is given: everything that was made before the report."""

    @property
    def study(self) -> Mapping[str, Any]:
        """The resolved study, as JSON values; every `with` holds all parameters."""

    @property
    def artifacts(self) -> Mapping[str, Artifact]:
        """Step name -> what it made, in its typed view, in the order of the study."""

    def table(self, name: str) -> pl.DataFrame | None:
        """A table by the name that hypotheses know it by (`labels`, `labels_associations`).

        None where the study makes none of that name.
        """


class SectionSource(Protocol):
    """kind `section`: (params, findings) -> the section; a pure function, equal for equal inputs.

    It says everything by what it returns; None where it has nothing to say of this study.
    """

    def __call__(self, params: Any, findings: Findings) -> Section | None:
        """The section."""
