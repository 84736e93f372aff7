"""From tests to one label for each feature."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from studyrun import Concept, Evidence
from studyrun_classify.params import EnrichmentParams
from studyrun_classify.tests import floor

__all__ = ["best_tests", "labels", "most_specific"]

NUMBERS = (
    "n",
    "n_with",
    "rate",
    "base_rate",
    "lift",
    "auroc",
    "log_odds",
    "ci_low",
    "ci_high",
    "q",
)


def labels(
    evidence: Evidence, every: pl.DataFrame, confirmed: pl.DataFrame, params: EnrichmentParams
) -> pl.DataFrame:
    """One row per feature, in no order, with its label, its verdict and what they rest on.

    `verdict` is `enriched` for a confirmed label. Otherwise it is `insufficient` where there are
    fewer than `min_support` active problems or most concepts are undecided, or it speaks of
    `concept`, the one with the smallest p on all problems: `weak` (enriched, but by less than the
    smallest effect that makes a label), `not-confirmed` (enriched on all problems, not on both
    halves) or `not-enriched`. `evidence` says on which problems `n` ... `q` were counted.
    """
    named = most_specific(confirmed.filter("confirmed"), evidence.concepts)
    rest = every.join(named, on="feature", how="anti", maintain_order="left")
    tested = pl.concat([_named(named, every), _unnamed(rest, params)])
    silent = evidence.features.join(tested, on="feature", how="anti")
    return pl.concat([tested, _never_active(silent, params)], how="diagonal")


def most_specific(confirmed: pl.DataFrame, concepts: Sequence[Concept]) -> pl.DataFrame:
    """One confirmed row for each feature that has any.

    A concept gives way to a confirmed one of which it is a part; of what is left, the one whose
    odds are certain to be largest (`ci_low`) stands, the earlier one if two are equal.
    """
    implied = _implied(concepts)
    parts = confirmed.join(implied, on="concept").select("feature", concept="part")
    left = confirmed.join(parts, on=["feature", "concept"], how="anti", maintain_order="left")
    ranked = left.sort("ci_low", descending=True, nulls_last=True, maintain_order=True)
    return ranked.unique("feature", keep="first", maintain_order=True)


def _implied(concepts: Sequence[Concept]) -> pl.DataFrame:
    """(concept, part) for every part, and the parts of the parts."""
    parts = {concept.name: set(concept.parts) for concept in concepts}
    rows = []
    for name in parts:
        reached: set[str] = set()
        ahead = set(parts[name])
        while ahead:
            reached |= ahead
            ahead = set().union(*(parts.get(part, set()) for part in ahead)) - reached
        rows += [(name, part) for part in sorted(reached - {name})]
    return pl.DataFrame(rows, schema={"concept": pl.String, "part": pl.String}, orient="row")


def best_tests(every: pl.DataFrame) -> pl.DataFrame:
    """The test with the smallest p of each feature; the larger effect, then the earlier concept."""
    ranked = every.sort(
        ["p", "log_odds"], descending=[False, True], nulls_last=True, maintain_order=True
    )
    return ranked.unique("feature", keep="first", maintain_order=True)


def _named(named: pl.DataFrame, every: pl.DataFrame) -> pl.DataFrame:
    """Confirmed rows as labels, counted on the half that did not choose them."""
    needed = every.select("feature", "concept", "n_needed")
    frame = named.join(needed, on=["feature", "concept"], maintain_order="left")
    return _row(
        frame.with_columns(q="q_confirmation"),
        label=pl.col("concept"),
        kind=pl.col("kind"),
        verdict=pl.lit("enriched"),
        evidence=pl.lit("confirmation half"),
        n_needed=pl.col("n_needed"),
    )


def _unnamed(every: pl.DataFrame, params: EnrichmentParams) -> pl.DataFrame:
    """`general` or `insufficient` for features without a confirmed label."""
    frame = _closest(every, params).with_columns(verdict=_verdict(params))
    not_confirmed = pl.col("verdict") == "not-confirmed"  # each half would have to find it alone
    needed = pl.when(not_confirmed).then(2 * pl.col("n_needed")).otherwise("n_needed")
    few = pl.col("n_active") < params.min_support
    frame = frame.with_columns(
        n_needed=pl.when(few).then(pl.max_horizontal(needed, params.min_support)).otherwise(needed)
    )
    short = not_confirmed & (pl.col("n_active") < pl.col("n_needed"))
    short = short | (pl.col("verdict") == "insufficient")
    kind = pl.when(short).then(pl.lit("insufficient")).otherwise(pl.lit("general"))
    return _row(
        frame,
        label=kind,
        kind=kind,
        verdict=pl.col("verdict"),
        evidence=pl.lit("all problems"),
        n_needed=pl.col("n_needed"),
    )


def _closest(every: pl.DataFrame, params: EnrichmentParams) -> pl.DataFrame:
    """One row per feature with `undecided`: whether most of its concepts are.

    It is the row with the smallest p: of the undecided concepts where they are why nothing can be
    said, else of all.
    """
    open_ = pl.col("verdict") == "insufficient"
    undecided = every.group_by("feature").agg(undecided=open_.mean() > 0.5)
    best = best_tests(every).join(undecided, on="feature", maintain_order="left")
    enough = pl.col("n_active") >= params.min_support
    instead = best.filter(enough & pl.col("undecided") & (pl.col("verdict") != "enriched"))
    candidates = every.filter(open_).join(instead, on="feature", how="semi", maintain_order="left")
    replaced = best_tests(candidates).with_columns(undecided=pl.lit(value=True))
    return pl.concat([best.join(instead, on="feature", how="anti"), replaced])


def _verdict(params: EnrichmentParams) -> pl.Expr:
    few = pl.col("n_active") < params.min_support
    enriched = pl.col("verdict") == "enriched"
    return (
        pl.when(few)
        .then(pl.lit("insufficient"))
        .when(enriched & (pl.col("log_odds") < floor(params)))
        .then(pl.lit("weak"))
        .when(enriched)
        .then(pl.lit("not-confirmed"))
        .when("undecided")
        .then(pl.lit("insufficient"))
        .otherwise(pl.lit("not-enriched"))
    )


def _row(frame: pl.DataFrame, **said: pl.Expr) -> pl.DataFrame:
    """What is said of each feature, with the numbers of the test that it rests on."""
    numbers = {"n": "n_active", "n_with": "n_active_with"}
    counted = [pl.col(numbers.get(name, name)).alias(name) for name in NUMBERS]
    spoken = [expr.alias(name) for name, expr in said.items()]
    return frame.select("feature", *spoken, "concept", "test", *counted)


def _never_active(features: pl.DataFrame, params: EnrichmentParams) -> pl.DataFrame:
    """What is said of features without any test: nothing is known of them."""
    nothing = pl.lit("insufficient")
    return features.select(
        "feature",
        label=nothing,
        kind=nothing,
        verdict=nothing,
        evidence=pl.lit("all problems"),
        n=pl.lit(0, pl.UInt32),
        n_with=pl.lit(0, pl.UInt32),
        n_needed=pl.lit(params.min_support, pl.Int64),
    )
