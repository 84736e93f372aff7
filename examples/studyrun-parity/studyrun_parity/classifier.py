"""The classifier `lift-ranked`: a feature is called after the concept with the largest lift.

A plain rule with a minimum support and without a test, so no label of it is `supported`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from studyrun import Classification

if TYPE_CHECKING:
    from studyrun import Evidence
    from studyrun_parity.params import LiftRanked

__all__ = ["lift_ranked", "lifts"]

COLUMNS = (
    "feature", "concept", "kind", "n_active", "n_active_with", "n_total", "n_with", "rate",
    "base_rate", "lift",
)  # fmt: skip


def lift_ranked(evidence: Evidence, params: LiftRanked) -> Classification:
    """The concept with the largest lift for every feature, `general` where none is large enough.

    A feature with fewer active problems than `min_support` is `insufficient`.
    """
    associations = lifts(evidence)
    best = (
        associations.filter(pl.col("lift") >= params.min_lift)
        .sort("feature", "lift", "concept", descending=[False, True, False])
        .unique("feature", keep="first", maintain_order=True)
        .select("feature", "concept", "kind", "rate", "base_rate", "lift", n_with="n_active_with")
    )
    features = evidence.features.select("feature", n="n_active").join(best, "feature", how="left")
    enough = pl.col("n") >= params.min_support
    labels = features.with_columns(
        label=_chosen(enough, "concept"),
        kind=_chosen(enough, "kind"),
        verdict=pl.lit("untested"),
    )
    return Classification(labels, associations)


def lifts(evidence: Evidence) -> pl.DataFrame:
    """One row per feature and concept that occur together, with the concept's lift.

    lift = rate / base_rate = (n_active_with / n_active) / (n_with / n_total)
    """
    concepts = pl.DataFrame(
        {
            "index": pl.Series(range(len(evidence.concepts)), dtype=pl.UInt32),
            "concept": [concept.name for concept in evidence.concepts],
            "kind": [concept.kind for concept in evidence.concepts],
        }
    )
    members = evidence.membership.rename({"concept": "index"})
    everywhere = members.group_by("index").agg(n_with=pl.len())
    together = evidence.activations.join(members, "problem").group_by("feature", "index")
    return (
        together.agg(n_active_with=pl.len())
        .join(evidence.features.select("feature", "n_active"), "feature")
        .join(everywhere, "index")
        .join(concepts, "index")
        .with_columns(
            n_total=pl.lit(evidence.problems.height, pl.UInt32),
            rate=pl.col("n_active_with") / pl.col("n_active"),
            base_rate=pl.col("n_with") / evidence.problems.height,
        )
        .with_columns(lift=pl.col("rate") / pl.col("base_rate"))
        .select(COLUMNS)
        .sort("feature", "concept")
    )


def _chosen(enough: pl.Expr, column: str) -> pl.Expr:
    """What the best concept says, `general` without one, `insufficient` without support."""
    chosen = pl.col(column).fill_null("general")
    return pl.when(enough).then(chosen).otherwise(pl.lit("insufficient"))
