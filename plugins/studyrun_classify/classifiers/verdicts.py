"""From tests to one label for each feature."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from studyrun import Concept
from studyrun_classify.labels import COLUMNS
from studyrun_classify.params import EnrichmentParams
from studyrun_classify.statistics.association import share
from studyrun_classify.statistics.effects import effect, floor, needs_alike

__all__ = ["LABELS", "labels", "most_specific", "untested"]

PAIR = ["feature", "concept"]
LABELS = pl.Schema({"feature": pl.UInt32(), **COLUMNS})
"""What is said of every feature; `labels` says what the columns mean."""
NUMBERS = [*COLUMNS][[*COLUMNS].index("n") : [*COLUMNS].index("n_needed")]
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
    every: pl.DataFrame,
    confirmed: pl.DataFrame,
    concepts: Sequence[Concept],
    level: float,
    params: EnrichmentParams,
) -> pl.DataFrame:
    """One row for each feature of `every`, in no order: its label, its verdict, what they rest on.

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

    Args:
        every: all pairs of some features, tested on all problems.
        confirmed: those that a half confirmed, with its numbers.
        concepts: all of them.
        level: the p-value at which one finding more would be accepted.
        params: the false-discovery rate and the smallest effects.
    """
    claimed = every.filter((pl.col("q_claim") <= params.alpha) & (effect() >= floor(params)))
    implied = _implied_by(pl.concat([claimed.select(PAIR), confirmed.select(PAIR)]), concepts)
    named = most_specific(confirmed, implied)
    rest = every.join(named, on="feature", how="anti", maintain_order="left")
    rest = rest.join(implied.with_columns(implied=True), on=PAIR, how="left", maintain_order="left")
    return pl.concat([_named(named, every), _unnamed(rest, level, params)])


def most_specific(confirmed: pl.DataFrame, implied: pl.DataFrame) -> pl.DataFrame:
    """One confirmed row for each feature that has any that is not `implied`.

    A concept gives way to one of which it is a part and that is enriched, too, among problems that
    have all its parts. Of what is left, what the first half found comes before what the second
    found; then the smallest p on the half that found it, the earlier concept if two are equal.
    So the numbers shown, which are of the other half, had no part in the choice.

    Args:
        confirmed: (feature, concept, way, log_p_discovery, ...).
        implied: (feature, concept) what is a part of something that is enriched.
    """
    left = confirmed.join(implied, on=PAIR, how="anti", maintain_order="left")
    ranked = left.sort("way", "log_p_discovery", maintain_order=True)
    return ranked.unique("feature", keep="first", maintain_order=True)


def _implied_by(found: pl.DataFrame, concepts: Sequence[Concept]) -> pl.DataFrame:
    """(feature, concept) of all parts of the concepts of (feature, concept) pairs, once each."""
    parts = found.join(_implied(concepts), on="concept").select("feature", concept="part")
    return parts.unique(maintain_order=True)


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
        evidence=pl.col("evidence"),
        n_needed=pl.col("n_needed"),
    )


def _unnamed(every: pl.DataFrame, level: float, params: EnrichmentParams) -> pl.DataFrame:
    """`general` or `insufficient` for features without a confirmed label."""
    not_confirmed = pl.col("outcome") == "not-confirmed"
    frame = _closest(every, params)
    tried, rest = frame.filter(not_confirmed), frame.filter(~not_confirmed)
    alike = pl.coalesce(needs_alike(tried, level, params), "n_needed")
    tried = tried.with_columns(n_needed=2 * alike)  # on either half as many
    few = pl.col("n_active") < params.min_support
    least = pl.max_horizontal("n_needed", params.min_support)
    rest = rest.with_columns(n_needed=pl.when(few).then(least).otherwise("n_needed"))
    enough = (pl.col("n_active") >= pl.col("n_needed")).fill_null(value=False)
    short = not_confirmed & ~enough
    short = short | (pl.col("outcome") == "insufficient")
    kind = pl.when(short).then(pl.lit("insufficient")).otherwise(pl.lit("general"))
    return _row(
        pl.concat([tried, rest]),
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
        .then((pl.col("q_claim") <= params.alpha) & pl.col("implied").is_null())
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
    row = frame.select("feature", *spoken, "concept", "test", *counted)
    return row.select(LABELS.names())


def untested(features: pl.DataFrame, params: EnrichmentParams) -> pl.DataFrame:
    """What is said of features without any test, (feature, n): nothing is known of them."""
    nothing = pl.lit("insufficient")
    return features.select(
        "feature",
        label=nothing,
        kind=nothing,
        verdict=nothing,
        evidence=pl.lit("all problems"),
        n="n",
        n_with=pl.lit(0, pl.UInt32),
        n_needed=pl.lit(params.min_support, pl.Int64),
    )
