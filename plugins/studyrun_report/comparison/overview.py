"""Overview: what varies, what does not, and a row for each cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import polars as pl

from studyrun_report.blocks import Block, Section, Table, Text, changed
from studyrun_report.comparison.cases import Case, Cases
from studyrun_report.drawing.palette import ordered
from studyrun_report.sections.quality import QUALITY as REPORTED
from studyrun_report.sections.verdicts import count
from studyrun_report.writing.tables import Spec, table_of
from studyrun_report.writing.text import harmless

__all__ = ["section"]

CHOICES = 12
"""Of so many values one is chosen; of more a range."""
TITLES = {spec.name: (spec.title, spec.form, spec.about) for spec in REPORTED}
QUALITY: tuple[tuple[str, Literal["", "range"]], ...] = (
    ("explained_variance", "range"),
    ("explained_variance_seed", ""),
    ("fvu", ""),
    ("l0", ""),
)
"""Column, and whether it can be filtered."""
MEASURED = (
    Spec("n", "n", "count", "Problems on which the SAE was measured; below it their split",
         beneath=("split", "text", "{}")),
    *(Spec(name, *TITLES[name], filter=chosen, group="SAE quality") for name, chosen in QUALITY),
    Spec("dead_share", "Dead", "share", "Features active on none of the n problems",
         of="dead/features", filter="range", group="SAE quality"),
    Spec("labelled_share", "Labelled", "share",
         "Share of all features that carry a label, with Wilson's 95 % interval",
         ends=("labelled_low", "labelled_high"), filter="range", group="Features with a label"),
    Spec("tested_share", "Of those with evidence", "share",
         "The same share of the features with problems enough to say what they encode",
         ends=("tested_low", "tested_high"), group="Features with a label"),
    Spec("with_label", "Count", "count", beneath=("features", "count", "of {}"),
         group="Features with a label"),
    Spec("kinds", "Kinds", about="Features by the kind of their label"),
    Spec("verdicts", "Verdicts", filter="choice"),
)  # fmt: skip


def section(cases: Cases) -> Section:
    """What is compared, in words and as a table."""
    said = (*_varies(cases), *_underneath(cases.cases))
    blocks: tuple[Block, ...] = (*map(Text, said), _table(cases))
    lead = (
        "A row for each cell; a name leads to its own page. Quality is measured on problems that "
        "the SAE was not trained on. It comes from one training each, so it has no interval."
    )
    return Section("cells", "Cells", blocks, lead)


def _varies(cases: Cases) -> Iterator[str]:
    """What differs between the cells, and whether it can be told apart."""
    grid, n = cases.grid, len(cases.cases)
    if not grid.parameters:
        yield f"{_cells(n)}; nothing differs in what was asked for."
        return
    listed = ", ".join(each.listed() for each in grid.parameters)
    yield harmless(
        f"{_cells(n)}, which differ in {listed}; all else that was asked for is equal.", 2000
    )
    if len(grid.parameters) > 1 and not grid.neighbours():
        yield (
            "No two cells differ in one of these only, so what comes of which cannot be told; the "
            "pictures show cell by cell."
        )
    elif len(grid.parameters) > 1:
        full = grid.combinations == n
        there = "Every combination" if full else f"{n} of {grid.combinations} combinations"
        verb = "is" if full else "are"
        yield (
            f"{there} {verb} there; {grid.neighbours()} of {grid.pairs()} pairs of cells differ in "
            "one of these only."
        )


def _cells(n: int) -> str:
    return f"{n} cell{'s' * (n != 1)}"


def _underneath(cases: Sequence[Case]) -> Iterator[str]:
    """Whether all stand on the same problems."""
    problems = {
        entry["key"] for each in cases for entry in each.steps.values()
        if entry.get("type") == "problems" and entry.get("key")
    }  # fmt: skip
    if len(problems) > 1:
        yield (
            f"The cells stand on {len(problems)} different sets of problems, so that differences "
            "between them may be the problems'."
        )


def _table(cases: Cases) -> Table:
    frame = cases.frame.with_columns(
        kinds=_texts(_kinds(each) for each in cases.cases),
        verdicts=_texts(count(each.verdicts) for each in cases.cases),
    )
    specs = (Spec("cell", "Cell"), *_parameters(cases), *MEASURED)
    found = table_of(frame, specs, id="cells-table", caption="The cells, by what differs")
    pages = [each.page if each.page.endswith(".html") else "" for each in cases.cases]
    both = zip(found.rows, pages, strict=True)
    rows = ((changed(row[0], link=page), *row[1:]) for row, page in both)
    return changed(found, rows=tuple(rows))


def _parameters(cases: Cases) -> Iterator[Spec]:
    for each in cases.grid.parameters:
        form = "exact" if each.numeric else "text"
        chosen = len(each.values) <= CHOICES or not each.numeric
        yield Spec(each.field, each.title, form, filter="choice" if chosen else "range")


def _texts(texts: Iterator[str]) -> pl.Series:
    return pl.Series([text or None for text in texts], dtype=pl.String)


def _kinds(case: Case) -> str:
    return ", ".join(f"{harmless(kind, 40)} {case.kinds[kind]}" for kind in ordered(case.kinds))
