"""Vega's own JavaScript, which makes the figures answer the pointer; part of `vl-convert`."""

from __future__ import annotations

from functools import cache

import vl_convert

__all__ = ["alone", "vega"]

SILENT = "Object.fromEntries(['log', 'info', 'debug', 'warn', 'error'].map((to) => [to, () => {}]))"
"""A console for Vega: what it would tell a specification's author is nothing for the readers."""


@cache
def vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script that needs nothing else.

    Takes about a second, once in a process.
    """
    script: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub errs
    if "</script" in script.lower() or "<!--" in script:
        raise AssertionError("Vega's script would end the element that it stands in")
    return alone(f"const console = {SILENT};\n{script}")


def alone(script: str) -> str:
    """The script with names of its own: those of Vega's minified one would replace the page's."""
    return f'(() => {{ "use strict";\n{script}\n}})();\n'
