"""From a Vega-Lite specification to SVG and PNG: files of their own, and the page's themed copy."""

from __future__ import annotations

import html
import re
from typing import Any

import vl_convert

from studyrun_report.drawing.palette import variables

__all__ = ["for_file", "for_page", "png", "svg", "texts"]

VARIABLES = variables()
COLOUR = re.compile(r'(fill|stroke)="(' + "|".join(map(re.escape, VARIABLES)) + r')"')
SHARP = 2
"""Pixels of a PNG to a unit of its picture."""


def svg(spec: dict[str, Any]) -> str:
    """The picture, drawn without a browser and without a network; equal bytes for equal specs."""
    drawn: str = vl_convert.vegalite_to_svg(spec)
    return drawn


def png(drawn: str) -> bytes:
    """The picture on white in pixels: what `svg` returned, twice its size."""
    opening = drawn.index(">") + 1
    paper = '<rect width="100%" height="100%" fill="white"/>'
    painted: bytes = vl_convert.svg_to_png(f"{drawn[:opening]}{paper}{drawn[opening:]}", SHARP)
    return painted


def texts(drawn: str) -> tuple[str, ...]:
    """Every text in the picture, in order."""
    return tuple(html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", drawn))


def for_file(drawn: str, title: str, words: str) -> str:
    """The picture as a file that says what it shows to those who cannot see it."""
    opening = drawn.index(">")
    told = f"<title>{html.escape(title)}</title><desc>{html.escape(words)}</desc>"
    return f'{drawn[:opening]} role="img">{told}{drawn[opening + 1 :]}\n'


def for_page(drawn: str, name: str) -> str:
    """The picture to stand within a page: scalable, its colours the page's, its ids its own.

    Args:
        drawn: what `svg` returned.
        name: unique on the page; goes before every id, or two pictures would share clip paths.
    """
    themed = COLOUR.sub(lambda m: f'{m[1]}="var({VARIABLES[m[2]]})"', drawn)
    themed = re.sub(r'\bid="', f'id="{name}-', themed)
    themed = themed.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    return re.sub(r"<svg [^>]*?(width=\"\d+\" height=\"\d+\") ", _scalable, themed, count=1)


def _scalable(match: re.Match[str]) -> str:
    """The opening tag; the caption and the alternative text outside it speak for the picture."""
    return match[0].replace(match[1], 'aria-hidden="true" focusable="false"')
