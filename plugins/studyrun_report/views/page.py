"""The page and the text: views of the facts, and of nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby

import jinja2
from markupsafe import Markup

from studyrun_report.blocks import Column, Facts, Features, Figure
from studyrun_report.drawing.bundle import alone, vega
from studyrun_report.drawing.palette import style as colours
from studyrun_report.drawing.palette import variables
from studyrun_report.drawing.pictures import for_page
from studyrun_report.views.embedding import PLAIN, Data, data_of, safe, sortable
from studyrun_report.views.templates import environment

__all__ = ["html", "markdown"]

SCRIPTS = (
    "dom",
    "data",
    "theme",
    "table",
    "tables",
    "features",
    "feature",
    "views",
    "figures",
    "start",
)
"""`templates/js/<name>.js`, in order; together they are the page's one script."""
STYLES = ("page", "tables", "feature", "print")


def html(facts: Facts, pictures: Mapping[str, str], home: str = "") -> str:
    """The page: one file that needs nothing else and asks nobody.

    Args:
        facts: the record.
        pictures: SVG by the figure's id.
        home: where the whole report stands, if this is a part of it; a part carries all its data
            compressed.
    """
    inline = {
        name: Markup(for_page(drawn, name)) for name, drawn in pictures.items()
    }  # our own drawing
    figures = {block.id: block.spec for block in facts.blocks() if isinstance(block, Figure)}
    early, script, library = _early(), _scripts(), vega() if figures else ""
    page = _environment(autoescape=True).get_template("page.html.j2")
    return page.render(
        facts=facts,
        home=home,
        pictures=inline,
        data=_data(facts, 0 if home else PLAIN),
        figures={"specs": figures, "colours": variables()} if figures else None,
        style=Markup(colours() + _styles()),
        early=Markup(early),
        script=Markup(script),
        vega=Markup(library),
        allowed=Markup(" ".join(f"'{_digest(each)}'" for each in (early, script, library) if each)),
    )


def _data(facts: Facts, plain: int) -> Iterator[Data]:
    for block in facts.blocks():
        if isinstance(block, Features):
            yield from data_of(block, plain)


def markdown(facts: Facts, first: int = 50) -> str:
    """The text, in GitHub's Markdown.

    Args:
        facts: the record.
        first: so many rows of a table of features are written.
    """
    template = _environment(autoescape=False).get_template("report.md.j2")
    return template.render(facts=facts, first=first)


@cache
def _environment(*, autoescape: bool) -> jinja2.Environment:
    return environment(autoescape=autoescape, sortable=sortable, groups=_groups, safe_json=safe)


@cache
def _early() -> str:
    return "".join(_assets("js", ["early"]))


@cache
def _scripts() -> str:
    return alone("".join(_assets("js", SCRIPTS)))


@cache
def _styles() -> str:
    return "".join(_assets("css", STYLES))


def _assets(kind: str, names: Sequence[str]) -> Iterator[str]:
    templates = _environment(autoescape=False)
    assert templates.loader is not None
    for name in names:
        yield templates.loader.get_source(templates, f"{kind}/{name}.{kind}")[0]


@cache
def _digest(script: str) -> str:
    """What the page's content security policy allows to run, and nothing else."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _groups(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """(head, how many columns stand below it); the head is empty where there is none."""
    return [(head, len(list(own))) for head, own in groupby(columns, lambda each: each.group)]
