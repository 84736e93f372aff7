"""A step that holds an untrained model and other seeds against the study's own SAE."""

from __future__ import annotations

from dataclasses import dataclass

from studyrun import Component, NonNegativeInt, Result, Variant, hookimpl


@dataclass(frozen=True)
class Comparing:
    untrained: bool = True
    seeds: NonNegativeInt = 2


def variants(params):
    if params.untrained:
        yield Variant("untrained", model={"weights": "random"})
    for seed in range(1, params.seeds + 1):
        yield Variant(f"seed-{seed}", steps={"sae": {"seed": seed}})


def run(params, inputs, context):
    import polars as pl

    own_x, own_W = _of(inputs.by_type)
    rows = []
    for name, given in inputs.variants.items():
        x, W_dec = _of(given)
        rows.append((name, float((x - own_x).abs().mean()), float((W_dec - own_W).abs().mean())))
    columns = ["variant", "activations", "decoder"]
    return Result({"table": pl.DataFrame(rows, schema=columns, orient="row")})


def _of(given):
    sae = given["sae"].load()
    return given["activations"].at(layer=sae.layer, position=sae.position), sae.W_dec


@hookimpl
def studyrun_components():
    return [
        Component(
            "step",
            "comparing",
            "1",
            Comparing,
            f"{__name__}:run",
            takes=("activations", "sae", "feature-acts"),
            makes="comparison",
            variants=f"{__name__}:variants",
        )
    ]
