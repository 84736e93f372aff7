"""The comparison's page: its facts, and the files made from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from studyrun import Compared, NoParams, __version__
from studyrun_report.blocks import Facts, Term
from studyrun_report.comparison import effects, kinds, limits, overview, quality, scaling, verdicts
from studyrun_report.comparison.cases import NAME, Cases, read
from studyrun_report.report import files
from studyrun_report.sections.verdicts import JUDGEMENTS
from studyrun_report.writing.tables import WRITERS
from studyrun_report.writing.text import harmless, number, share

__all__ = ["compare", "facts"]

SECTIONS = (overview, scaling, quality, kinds, verdicts, effects, limits)
"""In the order of the page."""
SUMMARY = (
    ("EV", "explained_variance", "number"),
    ("L0", "l0", "number"),
    ("dead", "dead_share", "share"),
    ("labelled", "labelled_share", "share"),
    ("supported", "supported", "count"),
    ("refuted", "refuted", "count"),
)
"""What a terminal shows: title, column, form."""


def compare(params: NoParams, compared: Sequence[Compared]) -> Mapping[str, bytes]:  # noqa: ARG001  # contract
    """The page on these runs and cells, and what a terminal says of them."""
    cases = read(compared)
    summary = json.dumps({"summary": _terminal(cases, compared)}, ensure_ascii=False, indent=1)
    return {**files(facts(cases)), "comparison.json": f"{summary}\n".encode()}


def facts(cases: Cases) -> Facts:
    """The record of which page, text and pictures are views."""
    studies = [str(each.source.study.get("study") or "study") for each in cases.cases]
    names = list(dict.fromkeys(studies))
    abouts = {str(each.source.study.get("about") or "") for each in cases.cases}
    sections = (each.section(cases) for each in SECTIONS)
    title = harmless(", ".join(names), 120)
    return Facts(
        title=f"{title}: {len(studies)} cells" if len(names) == 1 else f"Comparison of {title}",
        study=title,
        about=harmless(abouts.pop(), 2000) if len(abouts) == 1 else "",
        summary=tuple(_summary(cases)),
        sections=tuple(section for section in sections if section is not None),
        written_by=f"studyrun {__version__}",
    )


def _summary(cases: Cases) -> Iterator[Term]:
    yield Term("Cells", str(len(cases.cases)))
    if cases.grid.parameters:
        listed = ", ".join(each.title for each in cases.grid.parameters)
        yield Term("Differ in", harmless(listed, 120))
    for title, column, write in (("Explained variance", "explained_variance", number),
                                 ("Labelled features", "labelled_share", share)):  # fmt: skip
        known = cases.frame[column].drop_nulls().drop_nans()
        if len(known):
            yield Term(title, f"{write(known.min())} to {write(known.max())}")  # type: ignore[arg-type]  # numbers
    totals = {name: cases.frame[name].sum() for name in JUDGEMENTS}
    judged = ", ".join(f"{n} {name}" for name, n in totals.items() if n)
    if judged:
        yield Term("Verdicts", judged)


def _terminal(cases: Cases, compared: Sequence[Compared]) -> dict[str, object]:
    """A row for each of those compared, in the order given."""
    known = [each for each in SUMMARY if cases.frame[each[1]].null_count() < cases.frame.height]
    written = {
        row["cell"]: [WRITERS[form](row[column]) for _, column, form in known]
        for row in cases.frame.iter_rows(named=True)
    }
    rows = [written[harmless(each.name, NAME)] for each in compared]
    return {"columns": [title for title, _, _ in known], "rows": rows}
