"""Verdicts: every hypothesis in every cell, with its evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from studyrun_report.blocks import Block, Cell, Column, Section, Table, Text, Verdict
from studyrun_report.comparison.cases import Case, Cases
from studyrun_report.sections.verdicts import JUDGEMENTS
from studyrun_report.writing.text import NOTHING, harmless

__all__ = ["section"]

LONGEST = 120
Judged = Mapping[str, Verdict]
"""By hypothesis."""


def section(cases: Cases) -> Section | None:
    """A table of hypotheses, and one of cells by hypotheses."""
    found = {each.name: {v.hypothesis: v for v in each.verdicts} for each in cases.cases}
    names = list(dict.fromkeys(name for own in found.values() for name in own))
    if not names:
        return None
    claims = {
        name: {(v.claim, v.given, v.expect) for own in found.values() if (v := own.get(name))}
        for name in names
    }
    changed = [name for name in names if len(claims[name]) > 1]
    texts = [Text(harmless(f"{name} does not ask the same in all cells.")) for name in changed]
    blocks: tuple[Block, ...] = (_hypotheses(found, names), *texts, _grid(cases, found, names))
    lead = (
        "Each cell judges the hypotheses by its own tables. With many cells some are refuted or "
        "supported by chance; no correction is made for their number."
    )
    return Section("verdicts", "Verdicts", blocks, lead)


def _hypotheses(found: Mapping[str, Judged], names: list[str]) -> Table:
    columns = (
        Column("hypothesis", "Hypothesis"),
        Column("claim", "Claim"),
        *(Column(name, name.capitalize(), numeric=True) for name in JUDGEMENTS),
    )
    rows = tuple(tuple(_of_all(found, name)) for name in names)
    caption = "In how many cells each hypothesis was supported"
    return Table("verdicts-counts", caption, columns, rows, len(rows))


def _of_all(found: Mapping[str, Judged], name: str) -> Iterator[Cell]:
    """The hypothesis, its claim, and how often which verdict."""
    own = [each[name] for each in found.values() if name in each]
    yield Cell(name, name)
    yield Cell(own[0].claim, own[0].claim)
    counts = Counter(each.verdict for each in own)
    yield from (Cell(counts[each], str(counts[each])) for each in JUDGEMENTS)


def _grid(cases: Cases, found: Mapping[str, Judged], names: list[str]) -> Table:
    heads = (Column(f"hypothesis-{name}", name, filter="choice") for name in names)
    rows = tuple(_row(each, found[each.name], names) for each in cases.cases)
    caption = "Verdicts by cell, with the evidence below each"
    return Table("verdicts-table", caption, (Column("cell", "Cell"), *heads), rows, len(rows))


def _row(case: Case, own: Judged, names: list[str]) -> tuple[Cell, ...]:
    return (Cell(case.name, case.name), *(_cell(own.get(name)) for name in names))


def _cell(verdict: Verdict | None) -> Cell:
    if verdict is None:
        return Cell(None, NOTHING)
    evidence = verdict.evidence or verdict.reason
    return Cell(verdict.verdict, verdict.verdict, harmless(evidence, LONGEST))
