"""The step `report`."""

from __future__ import annotations

from collections.abc import Mapping

from studyrun import Context, Inputs, Result
from studyrun_report.blocks import Block, Facts, Figure, changed
from studyrun_report.drawing.figures import files_of
from studyrun_report.drawing.pictures import svg, texts
from studyrun_report.facts import facts
from studyrun_report.params import ReportParams
from studyrun_report.source import Source, Stored
from studyrun_report.views.packing import packed
from studyrun_report.views.page import html, markdown
from studyrun_report.views.record import written
from studyrun_report.views.splitting import split

__all__ = ["files", "run"]


def run(params: ReportParams, inputs: Inputs, context: Context) -> Result:
    """The report on everything before this step."""
    stored = tuple(Stored(step, artifact) for step, artifact in inputs.by_step.items())
    custom = tuple(context.bind("section", ref) for ref in params.sections)
    found = facts(Source(inputs.study, stored, params, custom))
    return Result(files=files(found, params.features))


def files(found: Facts, first: int = 50) -> dict[str, bytes]:
    """The record, its two views and its figures; equal facts give equal bytes.

    Args:
        found: the whole record, every feature's page in it. Pages beyond what one file can hold
            go to `features/`, a compressed record and its page each.
        first: so many rows of a table of features `report.md` shows.
    """
    figures = [block for block in found.blocks() if isinstance(block, Figure)]
    pictures = {block.id: svg(block.spec) for block in figures}
    told, parts = split(found.map(lambda block: _with_texts(block, pictures)))
    files = {
        "report.html": html(told, pictures).encode(),
        "report.md": markdown(told, first).encode(),
        "report.json": written(told),
    }
    for figure in figures:
        files |= files_of(figure, pictures[figure.id])
    for part in parts:
        files[f"{part.name}.html"] = html(part.facts, {}, home="../report.html").encode()
        files[f"{part.name}.json.gz"] = packed(written(part.facts))
    return files


def _with_texts(block: Block, pictures: Mapping[str, str]) -> Block:
    if isinstance(block, Figure):
        return changed(block, texts=texts(pictures[block.id]))
    return block
