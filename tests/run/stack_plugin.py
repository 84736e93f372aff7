"""Steps that can be computed many at once, for tests; what happens then, a test replaces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import toy_plugin

from studyrun import Component, PositiveInt, Result, Variant, hookimpl


@dataclass(frozen=True)
class StackParams:
    k: PositiveInt = 1


@dataclass(frozen=True)
class AfterParams:
    wanted: dict[str, dict[str, Any]] = field(default_factory=dict)


def result_of(params, inputs, context):
    """The one formula: the k-th powers of the draws, and the seed."""
    import polars as pl

    powers = inputs["draws"].table.select((pl.col("site1") ** params.k).alias("power"))
    return Result({"table": powers}, meta={"seed": context.seed})


def alone(params, inputs, context):
    toy_plugin._called(f"alone-{params.k}")
    return result_of(params, inputs, context)


def many(jobs):
    return at_once(jobs)


def at_once(jobs):
    """The results, the last job's first."""
    for number, job in reversed([*enumerate(jobs)]):
        toy_plugin._called(f"many-{job.params.k}")
        yield number, result_of(job.params, job.inputs, job.context)


def after(params, inputs, context):
    return Result({"table": inputs["stacks"].table.sum()})


def wanted(params):
    return [Variant(name, **changes) for name, changes in params.wanted.items()]


@hookimpl
def studyrun_components():
    here = __name__
    return [
        Component(
            "step",
            "toy-stack",
            "1",
            StackParams,
            f"{here}:alone",
            takes=("draws",),
            makes="stacks",
            many=f"{here}:many",
        ),
        Component(
            "step",
            "toy-after",
            "1",
            AfterParams,
            f"{here}:after",
            takes=("stacks",),
            makes="afters",
            variants=f"{here}:wanted",
        ),
    ]
