"""The step `report`: one record of facts, and the page, the text and the pictures made from it."""

from __future__ import annotations

from collections.abc import Iterable

from studyrun import Component, hookimpl
from studyrun_report.params import ReportParams

__all__ = ["studyrun_components"]


@hookimpl
def studyrun_components() -> Iterable[Component]:
    """The step."""
    yield Component(
        kind="step",
        name="report",
        version="3",
        params=ReportParams,
        target="studyrun_report.report:run",
        takes=("study", "*"),
        makes="report",
        summary="report.html, report.md, report.json and figures, from everything before it",
    )
