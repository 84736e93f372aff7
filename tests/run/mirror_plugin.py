"""Comparisons of every sort: one that keeps the contract, and some that break it.

MIRROR_LOG names a file that gets a line for each call, MIRROR_FAIL makes it raise.
"""

from __future__ import annotations

import os
from pathlib import Path

from studyrun import Component, NoParams, hookimpl


def mirror(params, compared):
    if "MIRROR_LOG" in os.environ:
        with Path(os.environ["MIRROR_LOG"]).open("a") as log:
            log.write("mirror\n")
    if "MIRROR_FAIL" in os.environ:
        raise ValueError("told to fail")
    lines = [
        f'<a href="{each.page}">{each.name}</a> {dict(each.differences)} {len(each.run)} steps'
        for each in compared
    ]
    return {"report.html": "\n".join(lines).encode(), "figures/f.svg": b"<svg/>"}


def pageless(params, compared):
    return {"index.html": b""}


def greedy(params, compared):
    return {"report.html": b"", "run.json": b"{}"}


def climbing(params, compared):
    return {"report.html": b"", "../elsewhere.html": b""}


def wordy(params, compared):
    return "a page"


def textual(params, compared):
    return {"report.html": "a page"}


@hookimpl
def studyrun_components():
    for name in ("mirror", "pageless", "greedy", "climbing", "wordy", "textual"):
        yield Component("comparison", name, "1", NoParams, f"{__name__}:{name}")
