"""What the step `report` writes, and how a test reads it."""

from __future__ import annotations

from typing import Any

import msgspec
from staged import STUDY

from studyrun import Inputs
from studyrun_report.blocks import Facts
from studyrun_report.params import ReportParams
from studyrun_report.report import run


def report(inputs: Inputs, **params) -> dict[str, str]:
    """The files that the step writes, as text."""
    result = run(ReportParams(**params), inputs, None)
    return {
        name: content.decode()
        for name, content in result.files.items()
        if not name.endswith(".png")
    }


def record(files: dict[str, str]) -> dict:
    """What `report.json` says, with the defaults that it leaves out."""
    told: dict = _whole(msgspec.json.decode(files["report.json"], type=Facts))
    return told


def _whole(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        own = {name: _whole(getattr(value, name)) for name in value.__struct_fields__}
        tag = value.__struct_config__.tag
        return own if tag is None else {"type": tag, **own}
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list | tuple) else value


def blocks(files: dict[str, str], section: str, type_: str) -> list[dict]:
    found = [each for each in record(files)["sections"] if each["id"] == section]
    return [block for each in found for block in each["blocks"] if block["type"] == type_]


def rows(table: dict) -> list[dict]:
    """The table's values by column name."""
    names = [column["name"] for column in table["columns"]]
    return [dict(zip(names, (c["value"] for c in row), strict=True)) for row in table["rows"]]


def only(inputs: Inputs, *steps: str, study: dict | None = None) -> Inputs:
    kept = {name: inputs.by_step[name] for name in steps}
    return Inputs({}, kept, STUDY if study is None else study)
