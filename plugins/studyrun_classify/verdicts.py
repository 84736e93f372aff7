"""From tests to one label for each feature."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from studyrun import Concept, Evidence
from studyrun_classify.association import share
from studyrun_classify.params import EnrichmentParams
from studyrun_classify.tests import effect, floor

__all__ = ["labels", "most_specific"]

NUMBERS = (
    "n",
    "n_with",
    "rate",
    "expected_rate",
    "base_rate",
    "lift",
    "auroc",
    "log_odds",
    "ci_low",
    "ci_high",
    "q",
)
SOURCES = {
    "lift": "lift_alike",
    "n": "n_active",
    "n_with": "n_active_with",
    "log_odds": "log_odds_alike",
    "ci_low": "alike_low",
    "ci_high": "alike_high",
}
"""Columns of the tests behind those numbers that have another name here."""


def labels(
    evidence: Evidence, every: pl.DataFrame, confirmed: pl.DataFrame, params: EnrichmentParams
) -> pl.DataFrame:
    """One row per feature, in no order, with its label, its verdict and what they rest on.

    `verdict` is `enriched` for a confirmed label. Otherwise, the first that holds of:

    - `insufficient`: fewer than `min_support` active problems;
    - `weak`: `concept` is enriched, by less than the smallest effect that makes a label;
    - `not-confirmed`: it is on all problems, but not on both halves;
    - `explained`: it is, but not among problems alike in `strata` and in having its parts;
    - `insufficient`: for most concepts there are too few problems to say;
    - `not-enriched`: there were enough, and nothing was found.

    `evidence` says on which problems `n` ... `q` were counted. `lift` is rate / expected_rate;
    `log_odds` with its interval and `auroc` compare problems that are alike in `strata`. The label
    is `general` where there were problems enough, `insufficient` where there were not.
    """
    named = most_specific(confirmed.filter("confirmed"), evidence.concepts)
    rest = every.join(named, on="feature", how="anti", maintain_order="left")
    tested = pl.concat([_named(named, every), _unnamed(rest, params)])
    silent = evidence.features.join(tested, on="feature", how="anti")
    return pl.concat([tested, _never_active(silent, params)], how="diagonal")


def most_specific(confirmed: pl.DataFrame, concepts: Sequence[Concept]) -> pl.DataFrame:
    """One confirmed row for each feature that has any.

    A concept gives way to a confirmed one of which it is a part; of what is left, the one with the
    smallest p on the half that found them stands, the earlier one if two are equal. The numbers of
    the other half, which are shown, had no part in the choice.
    """
    implied = _implied(concepts)
    parts = confirmed.join(implied, on="concept").select("feature", concept="part")
    left = confirmed.join(parts, on=["feature", "concept"], how="anti", maintain_order="left")
    ranked = left.sort("p_discovery", maintain_order=True)
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


def _named(named: pl.DataFrame, every: pl.DataFrame) -> pl.DataFrame:
    """Confirmed rows as labels, counted on the half that confirmed them."""
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
    frame = _closest(every, params)
    not_confirmed = pl.col("outcome") == "not-confirmed"  # each half would have to find it alone
    few = pl.col("n_active") < params.min_support
    needed = pl.when(not_confirmed).then(2 * pl.col("n_needed")).otherwise("n_needed")
    needed = pl.when(few).then(pl.max_horizontal("n_needed", params.min_support)).otherwise(needed)
    frame = frame.with_columns(n_needed=needed)
    short = not_confirmed & (pl.col("n_active") < pl.col("n_needed"))
    short = short | (pl.col("outcome") == "insufficient")
    kind = pl.when(short).then(pl.lit("insufficient")).otherwise(pl.lit("general"))
    return _row(
        frame,
        label=kind,
        kind=kind,
        verdict=pl.col("outcome"),
        evidence=pl.lit("all problems"),
        n_needed=pl.col("n_needed"),
    )


def _closest(every: pl.DataFrame, params: EnrichmentParams) -> pl.DataFrame:
    """The row of each feature on which its `outcome` rests, with the smallest p that counts."""
    outcomes = every.group_by("feature").agg(outcome=_outcome(params))
    rows = every.join(outcomes, on="feature", maintain_order="left")
    claimed = pl.col("outcome") == "claimed"
    eligible = (
        pl.when(claimed)
        .then(pl.col("q_claim") <= params.alpha)
        .when(pl.col("outcome") == "explained")
        .then(pl.col("q") <= params.alpha)
        .when(pl.col("outcome") == "undecided")
        .then(pl.col("verdict") == "insufficient")
        .otherwise(pl.lit(value=True))
    )
    p = pl.when(claimed).then("p_claim").otherwise("p")
    ranked = rows.filter(eligible).sort(
        [p, "log_odds"], descending=[False, True], nulls_last=True, maintain_order=True
    )
    first = ranked.unique("feature", keep="first", maintain_order=True)
    weak = pl.when(effect() < floor(params)).then(pl.lit("weak")).otherwise(pl.lit("not-confirmed"))
    return first.with_columns(
        q=pl.when(claimed).then("q_claim").otherwise("q"),
        outcome=pl.when(claimed)
        .then(weak)
        .when(pl.col("outcome").is_in(["few", "undecided"]))
        .then(pl.lit("insufficient"))
        .otherwise("outcome"),
    )


def _outcome(params: EnrichmentParams) -> pl.Expr:
    """What can be said of a feature without a confirmed label, from all its rows."""
    return (
        pl.when(pl.col("n_active").first() < params.min_support)
        .then(pl.lit("few"))
        .when((pl.col("q_claim") <= params.alpha).any())
        .then(pl.lit("claimed"))
        .when((pl.col("q") <= params.alpha).any())
        .then(pl.lit("explained"))
        .when((pl.col("verdict") == "insufficient").mean() > 0.5)
        .then(pl.lit("undecided"))
        .otherwise(pl.lit("not-enriched"))
    )


def _row(frame: pl.DataFrame, **said: pl.Expr) -> pl.DataFrame:
    """What is said of each feature, with the numbers of the test that it rests on."""
    counted = [pl.col(SOURCES.get(name, name)).alias(name) for name in NUMBERS]
    frame = frame.with_columns(lift_alike=share("rate", "expected_rate"))
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
