"""The templates of the views, filled in with Jinja; what a run shows needs nothing heavier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jinja2

from studyrun_report.writing.text import code_span, markdown

__all__ = ["environment"]


def environment(*, autoescape: bool, **filters: Callable[..., Any]) -> jinja2.Environment:
    """Where templates are found, and the filters that they have beside Jinja's own.

    Args:
        autoescape: whether they write HTML.
        filters: more of them, by name.
    """
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("studyrun_report"),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"md": markdown, "code": code_span, **filters}
    return found
