"""Concepts: what a feature was tested for, and what came of it."""

from __future__ import annotations

import polars as pl

from studyrun_report.label_table import with_odds
from studyrun_report.labelling import Labelling
from studyrun_report.pages.parts import Part, by_feature
from studyrun_report.writing.tables import Spec

__all__ = ["concepts"]

MOST = 8
CERTAIN = ("p_claim", "p", "q")
"""By which of these, the first that is there, concepts are ordered."""
SPECS = (
    Spec("concept", "Concept", beneath=("kind", "text", "{}")),
    Spec("rate", "Rate", "share",
         "Share of the feature's active problems that have the concept, and how many they are",
         of="n_active_with/n_active"),
    Spec("expected_rate", "Expected", "share",
         "The rate that comparable problems have; below it that of all problems",
         beneath=("base_rate", "share", "all {}")),
    Spec("auroc", "AUROC", "number",
         "Of two problems, one with the concept, how often that one has the larger activation"),
    Spec("odds", "Odds ratio", "number", "With its 95 % interval; for an AUROC its odds",
         ends=("odds_low", "odds_high")),
    Spec("odds_alike", "Odds ratio", "number",
         "Odds of the concept among active against inactive problems that are otherwise alike, "
         "with its 95 % interval; for strength, odds that the problem with it has the larger "
         "activation", ends=("alike_odds_low", "alike_odds_high")),
    Spec("weight", "Weight", "number", "In the sparse probe for the concept"),
    Spec("q", "q", "probability",
         "p-value after Benjamini-Hochberg over all features and concepts"),
    Spec("q_claim", "q", "probability",
         "Of what a label would claim, on all problems, after Benjamini-Hochberg over all features "
         "and concepts"),
    Spec("verdict", "Verdict",
         about="confirmed: found on one half of the problems and confirmed on the other"),
)  # fmt: skip
OVERALL = ("odds", "auroc", "q")
"""What is not shown where the same among comparable problems is known."""


def concepts(of: Labelling) -> Part | None:
    """The concepts that are most certainly associated with each feature."""
    tested = of.stored.having("associations", "feature", "concept")
    if tested is None:
        return None
    if "n_active" in tested.columns:
        tested = tested.filter(pl.col("n_active") > 0)
    order = next((name for name in CERTAIN if name in tested.columns), "")
    by = pl.col(order) if order else -pl.col("rate") if "rate" in tested.columns else pl.lit(0)
    first = (
        tested.sort("feature", by, nulls_last=True, maintain_order=True)
        .group_by("feature", maintain_order=True)
        .head(MOST)
    )
    many = max([0, *tested.group_by("feature").len()["len"]])
    which = f", the {MOST} most certain of {many}" if order and many > MOST else ""
    return by_feature(_shown(first), SPECS, name="concepts", caption=f"Concepts tested{which}")


def _shown(first: pl.DataFrame) -> pl.DataFrame:
    """With odds, and with what came of looking among comparable problems where that was done."""
    known = with_odds(first)
    if not {"log_odds_alike", "q_claim", "q_discovery", "confirmed"} <= {*first.columns}:
        return known.drop("q_claim", strict=False)
    logs = {"odds_alike": "log_odds_alike", "alike_odds_low": "alike_low",
            "alike_odds_high": "alike_high"}  # fmt: skip
    verdict = (
        pl.when("confirmed")
        .then(pl.lit("confirmed"))
        .when(pl.col("q_discovery").is_not_null())
        .then(pl.lit("not-confirmed"))
        .when(pl.col("verdict") == "insufficient")
        .then(pl.lit("insufficient"))
        .otherwise(pl.lit("not-found"))
    )
    alike = {odds: pl.col(log).exp() for odds, log in logs.items() if log in first.columns}
    return known.drop(OVERALL, strict=False).with_columns(verdict=verdict, **alike)
