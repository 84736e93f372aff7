"""What a run's folder shows of a report: the stored files, with what became of every step.

Asked in every run, also where nothing is run anew, so nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2
import msgspec

from studyrun_report.flow import HEIGHT, WIDTH, flow
from studyrun_report.ran import ran_of
from studyrun_report.views.templates import environment

__all__ = ["show"]

RECORD = b'\n "run": null\n'
"""The last line but one of `report.json`; no string in it holds a line break."""
PARTS = ("study", "provenance")


def show(files: Mapping[str, bytes], run: Mapping[str, Any], cell: str) -> Mapping[str, bytes]:
    """`report.json`, `report.html` and `report.md` with the run put into them.

    Args:
        files: as they are stored.
        run: the run's record so far (`run.json`).
        cell: the name of the matrix cell; empty where the study has no matrix.
    """
    ran = ran_of(run, cell)
    told = {"ran": ran, "flow": flow(ran.steps), "wide": WIDTH, "high": HEIGHT}
    record = b'\n "run": %b\n' % msgspec.json.encode(ran)
    shown = {}
    if "report.json" in files:
        before, _, after = files["report.json"].rpartition(RECORD)
        shown["report.json"] = before + record + after
    for name, template in (("report.html", "run.html.j2"), ("report.md", "run.md.j2")):
        if name in files:
            shown[name] = _filled(files[name], template, told)
    return shown


def _filled(content: bytes, template: str, told: dict[str, Any]) -> bytes:
    """The view with a part of the run in place of each of its marks, which stand on own lines."""
    templates = _environment(autoescape=template.endswith(".html.j2"))
    texts = templates.get_template(template).make_module(told)
    for part in PARTS:
        mark = f"\n<!--run:{part}-->\n".encode()
        before, found, after = content.partition(mark)
        if found:
            text = str(getattr(texts, part)()).strip("\n")
            content = b"%b\n%b\n%b" % (before, text.encode(), after)
    return content


@cache
def _environment(*, autoescape: bool) -> jinja2.Environment:
    return environment(autoescape=autoescape)
