"""The step `report`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from studyrun import Context, Inputs, Result
from studyrun_report.blocks import Block, Facts, Figure
from studyrun_report.facts import as_json, facts
from studyrun_report.params import ReportParams
from studyrun_report.pictures import svg, texts
from studyrun_report.source import Source, Stored
from studyrun_report.views import html, markdown

__all__ = ["files", "run"]


def run(params: ReportParams, inputs: Inputs, context: Context) -> Result:  # noqa: ARG001  # contract
    """The report on everything before this step."""
    stored = tuple(Stored(step, artifact) for step, artifact in inputs.by_step.items())
    return Result(files=files(facts(Source(inputs.study, stored, params))))


def files(found: Facts) -> dict[str, bytes]:
    """`report.json`, its two views, and the pictures; equal facts give equal bytes."""
    pictures = {block.id: svg(block.spec) for block in found.blocks() if isinstance(block, Figure)}
    told = found.map(lambda block: _with_texts(block, pictures))
    record = json.dumps(as_json(told), ensure_ascii=False, indent=1, allow_nan=False)
    written = {
        "report.html": html(told, pictures),
        "report.md": markdown(told),
        "report.json": f"{record}\n",
        **{f"figures/{name}.svg": drawn for name, drawn in pictures.items()},
    }
    return {name: text.encode() for name, text in written.items()}


def _with_texts(block: Block, pictures: Mapping[str, str]) -> Block:
    if isinstance(block, Figure):
        return replace(block, texts=texts(pictures[block.id]))
    return block
