"""The step `report`: one record of facts, and the page, the text and the pictures made from it."""

from __future__ import annotations

from collections.abc import Iterable

from studyrun import Component, NoParams, hookimpl
from studyrun_report.params import ReportParams

__all__ = ["studyrun_components"]


@hookimpl
def studyrun_components() -> Iterable[Component]:
    """The step, and the page that shows runs side by side."""
    yield Component(
        kind="step",
        name="report",
        version="5",
        params=ReportParams,
        target="studyrun_report.report:run",
        takes=("study", "*"),
        makes="report",
        wants="studyrun_report.params:wanted",
        shows="studyrun_report.shown:show",
        summary="report.html, report.md, report.json and figures, from everything before it",
    )
    yield Component(
        kind="comparison",
        name="comparison",
        version="1",
        params=NoParams,
        target="studyrun_report.comparison.page:compare",
        summary="report.html, report.md, report.json and figures on runs side by side",
    )
