"""A small plugin for the tests of the run room: seeded numbers, no torch, told what to do by hand.

The environment slows it down or breaks it, because that must not change a key: TOY_PAUSE
(seconds per step), TOY_FAIL (components that raise), TOY_LOG (a file with a line per call).
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studyrun import (
    Artifact,
    Component,
    ConceptRef,
    FilePath,
    Fraction,
    ModelFacts,
    NoParams,
    PositiveInt,
    Result,
    Variant,
    hookimpl,
)


@dataclass(frozen=True)
class DataParams:
    rows: PositiveInt = 40
    file: FilePath | None = None


@dataclass(frozen=True)
class DrawParams:
    scale: Fraction = 0.5
    sites: tuple[PositiveInt, ...] = (1, 2)


@dataclass(frozen=True)
class SumParams:
    k: PositiveInt = 4
    concept: ConceptRef = "even"


@dataclass(frozen=True)
class EvenParams:
    of: PositiveInt = 2


@dataclass(frozen=True)
class ModelParams:
    weights: FilePath
    width: PositiveInt = 3


@dataclass(frozen=True)
class CompareParams:
    wanted: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Variant -> what it replaces."""


def data_digest(params):
    return "" if params.file is None else _sha(Path(params.file))


def model_facts(params):
    return ModelFacts("toy", _sha(Path(params.weights)), 2, params.width)


def load_data(params, context):
    import polars as pl

    _called("toy-data")
    shift = 0 if params.file is None else len(Path(params.file).read_text())
    return Result({"table": pl.DataFrame({"value": range(shift, shift + params.rows)})})


def draw(params, inputs, context):
    import numpy as np
    import polars as pl

    _called("toy-draw")
    n = inputs["problems"].table.height
    rng = np.random.default_rng(context.seed)
    draws = pl.DataFrame({f"site{s}": params.scale * rng.normal(size=n) for s in params.sites})
    extra = pl.DataFrame({"site": list(params.sites)})
    return Result({"table": draws, "sites": extra}, meta={"n": n}, files={"notes/a.txt": b"a"})


def add_up(params, inputs, context):
    import polars as pl

    _called("toy-sum")
    context.bind("concept", params.concept)
    draws = inputs["draws"].table
    sums = [draws.head(i).sum_horizontal().sum() for i in range(1, params.k + 1)]
    return Result({"table": pl.DataFrame({"upto": range(1, params.k + 1), "total": sums})})


def ask_model(params, inputs, context):
    import polars as pl

    _called("toy-ask")
    return Result({"table": pl.DataFrame({"answer": [context.model().answer]})})


def wanted(params):
    return [Variant(name, **changes) for name, changes in params.wanted.items()]


def compare(params, inputs, context):
    import polars as pl

    _called("toy-compare")
    given = {"": inputs.by_type, **inputs.variants}
    rows = [
        (variant, type_name, artifact.key)
        for variant, artifacts in given.items()
        for type_name, artifact in artifacts.items()
    ]
    columns = ["variant", "type", "key"]
    return Result({"table": pl.DataFrame(rows, schema=columns, orient="row")})


def report(params, inputs, context):
    _called("toy-report")
    names = ", ".join(f"{name} {inputs.by_step[name].table.height}" for name in inputs.by_step)
    text = f"{inputs.study['study']}: {names}".encode()
    return Result(files={"report.html": text, "report.md": text, "figures/f.svg": b"<svg/>"})


def misbehave(params, inputs, context):
    return {"table": 1}


def load_model(params, context):
    _called("toy-model")
    return Model(14 * params.width)


class Model:
    def __init__(self, answer):
        self.answer = answer

    def activations(self):
        raise NotImplementedError


class Sums(Artifact):
    @property
    def last(self):
        return self.table["total"][-1]


def _sha(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _called(name):
    if "TOY_LOG" in os.environ:
        with Path(os.environ["TOY_LOG"]).open("a") as log:
            log.write(f"{name}\n")
    time.sleep(float(os.environ.get("TOY_PAUSE", "0")))
    if name in os.environ.get("TOY_FAIL", "").split():
        raise ValueError(f"{name} was told to fail")


def _component(kind, name, params, target, **more):
    return Component(kind, name, "1", params, f"{__name__}:{target}", **more)


@hookimpl
def studyrun_components():
    return [
        _component(
            "data",
            "toy-data",
            DataParams,
            "load_data",
            makes="problems",
            digest=f"{__name__}:data_digest",
        ),
        _component("step", "toy-draw", DrawParams, "draw", takes=("problems",), makes="draws"),
        _component("step", "toy-sum", SumParams, "add_up", takes=("draws",), makes="sums"),
        _component(
            "step", "toy-ask", NoParams, "ask_model", takes=("problems", "model"), makes="answers"
        ),
        _component(
            "step",
            "toy-compare",
            CompareParams,
            "compare",
            takes=("problems", "sums", "answers?"),
            makes="comparison",
            variants=f"{__name__}:wanted",
        ),
        _component("step", "toy-report", NoParams, "report", takes=("study", "*"), makes="report"),
        _component("step", "toy-misbehave", NoParams, "misbehave", makes="nothing"),
        _component("concept", "even", EvenParams, "load_model"),
        _component(
            "model", "toy-model", ModelParams, "load_model", facts=f"{__name__}:model_facts"
        ),
        _component("artifact", "sums", NoParams, "Sums"),
    ]
