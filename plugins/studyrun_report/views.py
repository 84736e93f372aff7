"""The page and the text: views of the facts, and of nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any

import jinja2
from markupsafe import Markup

from studyrun_report.blocks import Cell, Column, Facts
from studyrun_report.palette import style as colours
from studyrun_report.pictures import for_page

__all__ = ["html", "markdown"]

MARKDOWN_SPECIAL = re.compile(r"([\\`*_\[\]|#~>])")


def html(facts: Facts, pictures: Mapping[str, str]) -> str:
    """The page: one file that needs nothing else and asks nobody.

    Args:
        facts: the record.
        pictures: SVG by the figure's id.
    """
    inline = {
        name: Markup(for_page(drawn, name)) for name, drawn in pictures.items()
    }  # our own drawing
    style, script = _asset("page.css"), _asset("page.js")
    page = _environment(autoescape=True).get_template("page.html.j2")
    return page.render(
        facts=facts,
        pictures=inline,
        colours=Markup(colours()),
        style=Markup(style),
        script=Markup(script),
        script_digest=_digest(script),
    )


def markdown(facts: Facts) -> str:
    """The text, in GitHub's Markdown."""
    return _environment(autoescape=False).get_template("report.md.j2").render(facts=facts)


@cache
def _environment(*, autoescape: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("studyrun_report"),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"sortable": _sortable, "groups": _groups, "md": _escaped, "code": _code}
    return environment


def _asset(name: str) -> str:
    loader = _environment(autoescape=False).loader
    assert loader is not None
    return loader.get_source(_environment(autoescape=False), name)[0]


def _digest(script: str) -> str:
    """What the page's content security policy allows to run, and nothing else."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _sortable(cell: Cell) -> Any:
    """What the cell is sorted by; empty where there is no value."""
    value = cell.value
    if isinstance(value, dict):
        value = value.get("n")
    if isinstance(value, list):
        value = value[0] if value else None
    return "" if value is None else value


def _groups(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """(head, how many columns stand below it); the head is empty where there is none."""
    return [(head, len(list(own))) for head, own in groupby(columns, lambda each: each.group)]


def _escaped(text: str) -> str:
    """The text as Markdown that shows it as it is."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;")
    return MARKDOWN_SPECIAL.sub(r"\\\1", safe)


def _code(text: str) -> str:
    """The text as a code span, whatever backticks it holds."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"
