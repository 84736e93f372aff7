"""A report that wants another step and is shown with the run's record, beside the toy plugin."""

from __future__ import annotations

import json
from dataclasses import dataclass

from studyrun import Component, NoParams, Result, hookimpl

STORED = {"report.html": b"stored", "report.json": b"{}", "figures/f.svg": b"<svg/>"}


@dataclass(frozen=True)
class Album:
    extras: bool = True


def wanted(params):
    return ["toy-extra"] if params.extras else []


def add_extra(params, inputs, context):
    import polars as pl

    return Result({"table": pl.DataFrame({"last": [inputs["sums"].table["total"][-1]]})})


def album(params, inputs, context):
    return Result(files=dict(STORED))


def shown(files, run, cell):
    """The page says what ran; everything else stays as it is stored."""
    steps = run["cells"][cell]["steps"]
    told = {
        "stored": files["report.html"].decode(),
        "cells": [*run["cells"]],
        "status": run["status"],
        "steps": {name: entry["status"] for name, entry in steps.items()},
    }
    steps.clear()  # a copy: nobody is harmed
    return {"report.html": json.dumps(told).encode()}


def _component(name, target, **more):
    return Component(
        "step", name, "1", more.pop("params", NoParams), f"{__name__}:{target}", **more
    )


@hookimpl
def studyrun_components():
    here = __name__
    return [
        _component("toy-extra", "add_extra", takes=("sums",), makes="extra"),
        _component(
            "toy-album",
            "album",
            params=Album,
            takes=("study", "*"),
            makes="report",
            wants=f"{here}:wanted",
            shows=f"{here}:shown",
        ),
    ]
