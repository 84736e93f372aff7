"""A record too large for one page: most features' pages go to records of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

import msgspec

from studyrun_report.blocks import Block, Facts, FeaturePage, Features, Rows, Section, changed

__all__ = ["Part", "split"]

HERE = 6_000_000
"""Bytes of the record that features' pages and their problems may take in the page itself; there
they are written in less than half of it."""
THERE = 8_000_000
"""The same for every other file."""


class Part(NamedTuple):
    """Some features' pages in a file of their own."""

    name: str
    """`features/513-1024`, without the ending."""
    facts: Facts


def split(facts: Facts, here: int = HERE, there: int = THERE) -> tuple[Facts, tuple[Part, ...]]:
    """The record with as many features' pages as `here` bytes hold, and the others in parts.

    Pages keep their order, so those of the first rows stay. Every page is in exactly one of them.
    """
    parts: list[Part] = []
    several = sum(isinstance(block, Features) for block in facts.blocks()) > 1

    def halved(block: Block) -> Block:
        if not isinstance(block, Features):
            return block
        prefix = f"features/{block.id}-" if several else "features/"
        stays, away = _split(block, prefix, here, there)
        parts.extend(Part(name, _alone(facts, each)) for name, each in away.items())
        return stays

    return facts.map(halved), tuple(parts)


def _split(
    block: Features, prefix: str, here: int, there: int
) -> tuple[Features, Mapping[str, Features]]:
    """What stays of the block, and by file's name what goes."""
    files = [list(own) for _, own in groupby(_numbered(block, here, there), lambda each: each[0])]
    if len(files) < 2:  # everything stays
        return block, {}
    first, *others = ([page for _, _, page in own] for own in files)
    places = [own[0][1] for own in files[1:]]
    names = [
        f"{prefix}{place}-{place + len(pages) - 1}"
        for place, pages in zip(places, others, strict=True)
    ]
    elsewhere = {
        page.id: f"{name}.html" for name, pages in zip(names, others, strict=True) for page in pages
    }
    rows = {row[0].link: row for row in block.rows if row}
    away = {
        name: _with(block, pages, tuple(rows[page.id] for page in pages if page.id in rows))
        for name, pages in zip(names, others, strict=True)
    }
    return changed(_with(block, first, block.rows), elsewhere=elsewhere), away


def _numbered(block: Features, here: int, there: int) -> Iterator[tuple[int, int, FeaturePage]]:
    """(file, place among all pages from 1, page); file 0 is the page itself."""
    problems = [len(msgspec.json.encode(problem)) for problem in block.problems]
    file, used, known = 0, 0, set[int]()
    for place, page in enumerate(block.pages, 1):
        own = {sample.problem for part in page.samples for sample in part.samples}
        size = len(msgspec.json.encode(page))
        if used and used + size + sum(problems[i] for i in own - known) > (there if file else here):
            file, used, known = file + 1, 0, set()
        used += size + sum(problems[i] for i in own - known)
        known |= own
        yield file, place, page


def _with(block: Features, pages: list[FeaturePage], rows: Rows) -> Features:
    """The block with these pages alone, and with the problems that they speak of."""
    used = sorted(
        {each.problem for page in pages for part in page.samples for each in part.samples}
    )
    place = {old: new for new, old in enumerate(used)}

    def moved(page: FeaturePage) -> FeaturePage:
        samples = tuple(
            changed(part, samples=tuple(changed(each, problem=place[each.problem])
                                        for each in part.samples))
            for part in page.samples
        )  # fmt: skip
        return changed(page, samples=samples)

    problems = tuple(block.problems[old] for old in used)
    return changed(block, rows=rows, pages=tuple(map(moved, pages)), problems=problems)


def _alone(facts: Facts, block: Features) -> Facts:
    """A record that holds nothing but these features."""
    section = next(each for each in facts.sections if any(b.id == block.id for b in each.blocks
                                                          if isinstance(b, Features)))  # fmt: skip
    own = Section(section.id, section.title, (block,))
    return changed(facts, summary=(), sections=(own,))
