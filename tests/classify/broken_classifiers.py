"""A plugin with one classifier for each law, which breaks that law."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from studyrun import Classification, Component, Law, PositiveInt, hookimpl


@dataclass(frozen=True)
class Support:
    """What is promised."""

    min_support: PositiveInt = 20
    """Active problems without which a feature gets no label."""


def general(evidence, **other):
    """No label for any feature, but for what `other` says."""
    said = {"label": pl.lit("general"), "kind": pl.lit("general"), "verdict": pl.lit("untested")}
    return evidence.features.select("feature", **(said | other))


def forgets_the_last_feature(evidence, params):
    return Classification(general(evidence).head(-1), pl.DataFrame())


def writes_into_its_input(evidence, params):
    evidence.features.insert_column(0, pl.lit(1).alias("mine"))
    return Classification(general(evidence), pl.DataFrame())


CALLS = iter(range(10**9))


def counts_its_calls(evidence, params):
    return Classification(general(evidence, n=pl.lit(next(CALLS))), pl.DataFrame())


def trusts_the_first_row(evidence, params):
    first = evidence.activations["problem"].first()
    return Classification(general(evidence, n=pl.lit(first)), pl.DataFrame())


def reads_the_feature_number(evidence, params):
    return Classification(general(evidence, concept=pl.col("feature") * 2), pl.DataFrame())


def takes_numbers_for_rows(evidence, params):
    last = pl.lit(evidence.problems["problem"].max())
    return Classification(general(evidence, n=last), pl.DataFrame())


def labels_everything(evidence, params):
    named = general(evidence, label=pl.lit("number"), kind=pl.lit("value"))
    return Classification(named, pl.DataFrame())


def labels_what_is_ever_active(evidence, params):
    kind = pl.when(pl.col("n_active") > 0).then(pl.lit("value")).otherwise(pl.lit("general"))
    return Classification(general(evidence, kind=kind), pl.DataFrame())


def fails(evidence, params):
    raise ZeroDivisionError("no such luck")


def says_little(evidence, params):
    return Classification(general(evidence).drop("kind"), pl.DataFrame())


MUTANTS = {
    "one-row-each": forgets_the_last_feature,
    "evidence-unchanged": writes_into_its_input,
    "same-answer": counts_its_calls,
    "order-of-pairs": trusts_the_first_row,
    "feature-numbers": reads_the_feature_number,
    "problem-numbers": takes_numbers_for_rows,
    "silence": labels_everything,
    "support": labels_what_is_ever_active,
}
OTHERS = {"fails": fails, "says-little": says_little}


@hookimpl
def studyrun_components():
    named = {f"breaks-{law}": target for law, target in MUTANTS.items()} | OTHERS
    for name, target in named.items():
        yield Component(
            kind="classifier",
            name=name,
            version="1",
            params=Support,
            target=f"{__name__}:{target.__name__}",
            laws=(Law("support", parameter="min_support"),) if name == "breaks-support" else (),
        )
    yield Component(
        kind="classifier",
        name="promises-too-much",
        version="1",
        params=Support,
        target=f"{__name__}:fails",
        laws=(Law("suport"),),
    )
