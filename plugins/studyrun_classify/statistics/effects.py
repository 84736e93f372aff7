"""How large an association is, how large it must be, and how many problems would show it."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from studyrun_classify.params import EnrichmentParams
from studyrun_classify.statistics.association import presence_needs, share
from studyrun_classify.statistics.power import rank_test_needs

__all__ = ["effect", "floor", "needs", "needs_alike"]


def effect() -> pl.Expr:
    """What must be large before the concept, and neither the stratum nor its parts, is it."""
    return pl.min_horizontal("log_odds_alike", "log_odds_parts")


def floor(params: EnrichmentParams) -> pl.Expr:
    """The smallest effect that makes a label, in log odds, for the test of the row."""
    odds_of_auroc = params.min_auroc / (1 - params.min_auroc)
    smallest = pl.when(pl.col("test") == "presence").then(math.log(params.min_odds_ratio))
    return smallest.otherwise(math.log(odds_of_auroc))


def needs(frame: pl.DataFrame, level: float, params: EnrichmentParams) -> pl.Series:
    """`n_needed` of every row, as `associate` says, by the test of the row."""
    present = presence_needs(frame, level, params)
    ranked = _rank_needs(frame, level, params)
    return frame.select(
        n_needed=pl.when(pl.col("test") == "presence").then(present).otherwise(ranked)
    ).to_series()


def needs_alike(frame: pl.DataFrame, level: float, params: EnrichmentParams) -> pl.Series:
    """The same against the rate that is expected of problems alike, up to 0.98 in steps of 0.02."""
    expected = pl.col("expected_rate")
    rounded = pl.when(expected <= 0.98).then((50 * expected).ceil() / 50).otherwise(expected)
    base = pl.coalesce(rounded, "base_rate")
    return needs(frame.with_columns(base_rate=base), level, params)


def _rank_needs(frame: pl.DataFrame, level: float, params: EnrichmentParams) -> pl.Series:
    """Active problems needed by the rank test: its problems times the share of active ones."""
    auroc = np.fmax(frame["auroc"].to_numpy(), params.min_auroc)
    base = frame["base_rate"].fill_null(0.0).to_numpy()
    needed = rank_test_needs(auroc, base, level, params.power)
    active = frame.select(share("n_active", "n_total").fill_null(0.0)).to_series().to_numpy()
    return pl.Series(np.ceil(needed * active), nan_to_null=True).cast(pl.Int64)
