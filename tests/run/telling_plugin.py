"""Steps that tell what their tables are like and what they will take, truly or not."""

from __future__ import annotations

from dataclasses import dataclass

from studyrun import Component, Estimate, NoParams, Result, Table, hookimpl

NUMBERS = Table({"x": "Float64", "name": "String", "n": "UInt32"})


@dataclass(frozen=True)
class Told:
    rows: int = 3
    flops: float = 1e12
    bytes: int = 1_200_000_000


def numbers(params, *given):
    import polars as pl

    rows = {"x": [0.5] * params.rows, "name": ["a"] * params.rows, "n": [1] * params.rows}
    return Result({"table": pl.DataFrame(rows, NUMBERS.schema())})


def tables(params):
    return {"table": NUMBERS}


def open_tables(params):
    return {"table": Table(NUMBERS.columns, open=True)}


def no_type(params):
    return {"table": Table({"x": "Float65"})}


def estimate(params, scope):
    source = scope.steps[scope.inputs["problems"]].params
    note = f"{params.rows} rows of {source.rows}"
    return Estimate(params.flops, params.bytes, note)


def unknown(params, scope):
    return None


def raising(params, scope):
    return Estimate(1 / 0)


def text(params, scope):
    return "a lot"


def endless(params, scope):
    return Estimate(float("inf"))


def unreadable(params, scope):
    raise FileNotFoundError(2, "no such file", "weights")


def component(name, kind="step", takes=("problems",), **more):
    where = {role: f"{__name__}:{function}" for role, function in more.items()}
    makes = "problems" if kind == "data" else "numbers"
    target = f"{__name__}:numbers"
    return Component(kind, name, "1", Told, target, takes=takes, makes=makes, **where)


@hookimpl
def studyrun_components():
    return [
        component("told-data", "data", (), tables="tables"),
        component("told", tables="tables", estimate="estimate"),
        component("told-openly", tables="open_tables", estimate="unknown"),
        component("told-badly", tables="no_type"),
        *(component(f"told-{name}", estimate=name) for name in ("raising", "text", "endless")),
        component("told-unreadable", estimate="unreadable"),
        Component("concept", "told-concept", "1", NoParams, f"{__name__}:numbers"),
    ]
