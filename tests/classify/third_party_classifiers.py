"""A plugin with classifiers and concepts that keep, bend and break their contracts."""

from __future__ import annotations

import polars as pl

from studyrun import Classification, Component, Concept, NoParams, hookimpl


def by_parity(evidence, params):
    labels = evidence.features.select(
        "feature", label=pl.lit("x"), kind=pl.lit("clock"), verdict=pl.lit("guessed"), hue="rank"
    )
    return Classification(labels.reverse(), pl.DataFrame())


def forgetful(evidence, params):
    found = by_parity(evidence, params)
    return Classification(found.labels.head(3), found.associations)


def nameless(evidence, params):
    found = by_parity(evidence, params)
    return Classification(found.labels.drop("kind"), found.associations)


def numbers(problems, params):
    return [Concept("steps", "value", pl.col("n_steps"))]


def unknown(problems, params):
    return [Concept("odd", "value", pl.col("no_such_column") > 1)]


def twice(problems, params):
    return [Concept("uses +", "operation", pl.lit(True))]


def sometimes(problems, params):
    return [Concept("even", "value", pl.when(pl.col("n_steps") > 1).then(pl.col("n_steps") == 2))]


@hookimpl
def studyrun_components():
    for kind, targets in (
        ("classifier", (by_parity, forgetful, nameless)),
        ("concept", (numbers, unknown, twice, sometimes)),
    ):
        for target in targets:
            name = target.__name__.replace("_", "-")
            where = f"{__name__}:{target.__name__}"
            yield Component(kind=kind, name=name, version="1", params=NoParams, target=where)
