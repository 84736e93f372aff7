"""Every feature tested against every concept: by being active, or by how strongly."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun_classify.association import (
    adjusted,
    level_of,
    presence,
    presence_needs,
    share,
    verdict,
)
from studyrun_classify.incidence import Incidence, counts, pairs_of
from studyrun_classify.mann_whitney import by_strata, rank_test
from studyrun_classify.params import EnrichmentParams
from studyrun_classify.power import rank_test_needs
from studyrun_classify.stratified import common_odds, expected_rate, stratified_p, tables, undefined

__all__ = ["effect", "floor", "judged", "tests"]

Floats = NDArray[np.float64]
PAIR = ("feature", "concept")


def tests(incidence: Incidence, strong: NDArray[np.bool_], alpha: float) -> pl.DataFrame:
    """The counts and the tests of all pairs, on all the problems of `incidence`.

    Columns: those of `presence`; `test` (`presence` or `magnitude`); `auroc` of pairs of one
    stratum; `expected_rate`, the rate if only the stratum mattered; `p_alike`, `log_odds_alike`,
    `alike_low`, `alike_high`, the same test among problems of one stratum (the plain test for a
    concept that does not vary within strata); `p_parts` and `log_odds_parts`, among problems of one
    stratum in which all parts of the concept hold (null for a concept without parts); `p_claim`,
    the larger of these two p: what must be small before the concept, and neither the stratum nor
    its parts, is said to be it.

    Args:
        incidence: the matrices.
        strong: (features,) those whose |activation| is tested, not whether they are active.
        alpha: claims are made below it; p-values far above it may be approximate.
    """
    parts = [_by_presence(incidence.of(~strong), alpha), _by_magnitude(incidence.of(strong))]
    return pl.concat(parts).with_columns(p_claim=pl.max_horizontal("p_alike", "p_parts"))


def _by_presence(incidence: Incidence, alpha: float) -> pl.DataFrame:
    alike, wholes = tables(incidence, within_parts=False), incidence.with_parts()
    within = tables(wholes, within_parts=True)
    odds, screen = common_odds(alike), math.sqrt(alpha)
    frame = presence(counts(incidence)).with_columns(
        test=pl.lit("presence"),
        auroc=pl.lit(None, pl.Float64),
        expected_rate=_series(expected_rate(alike)),
        p_alike=_series(stratified_p(alike, screen)),
        log_odds_alike=_series(odds.value),
        alike_low=_series(odds.low),
        alike_high=_series(odds.high),
    )
    given = pairs_of(wholes).select(
        *PAIR,
        p_parts=_series(stratified_p(within, screen)),
        log_odds_parts=_series(common_odds(within).value),
    )
    return _with_parts(_unless(frame, undefined(alike)), given)


def _by_magnitude(incidence: Incidence) -> pl.DataFrame:
    strength, wholes = incidence.strength.toarray(), incidence.with_parts()
    found, nothing = rank_test(strength, incidence.holds), pl.lit(None, pl.Float64)
    alike = by_strata(strength, incidence, within_parts=False)
    within = by_strata(strength, wholes, within_parts=True)
    frame = counts(incidence).with_columns(
        p=_series(found.p),
        rate=nothing,
        base_rate=share("n_with", "n_total"),
        lift=nothing,
        log_odds=_series(found.log_odds.value),
        ci_low=_series(found.log_odds.low),
        ci_high=_series(found.log_odds.high),
        test=pl.lit("magnitude"),
        auroc=_series(np.where(np.isnan(alike.auroc), found.auroc, alike.auroc)),
        expected_rate=nothing,
        p_alike=_series(alike.p),
        log_odds_alike=_series(alike.log_odds.value),
        alike_low=_series(alike.log_odds.low),
        alike_high=_series(alike.log_odds.high),
    )
    given = pairs_of(wholes).select(
        *PAIR, p_parts=_series(within.p), log_odds_parts=_series(within.log_odds.value)
    )
    return _with_parts(_unless(frame, np.isnan(alike.auroc)), given)


def _unless(frame: pl.DataFrame, nothing_varies: NDArray[np.bool_]) -> pl.DataFrame:
    """The plain test where nothing varies within strata: strata cannot explain it then."""
    plain = {"p_alike": "p", "log_odds_alike": "log_odds", "alike_low": "ci_low",
             "alike_high": "ci_high"}  # fmt: skip
    here = pl.Series(nothing_varies.ravel(), dtype=pl.Boolean)
    return frame.with_columns(
        pl.when(here).then(old).otherwise(new).alias(new) for new, old in plain.items()
    )


def _with_parts(frame: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    return frame.join(given, on=PAIR, how="left", maintain_order="left")


def _series(values: Floats) -> pl.Series:
    return pl.Series(values.ravel(), dtype=pl.Float64, nan_to_null=True)


def judged(tested: pl.DataFrame, params: EnrichmentParams) -> pl.DataFrame:
    """`tested` with `q`, `n_needed` and `verdict`, as `associate` gives them, and `q_claim`.

    `q` and `q_claim` are `p` and `p_claim` after Benjamini-Hochberg over all rows.
    """
    frame = tested.with_columns(q=adjusted(pl.col("p")), q_claim=adjusted(pl.col("p_claim")))
    level = level_of(frame, params.alpha)
    present = presence_needs(frame, level, params.power, params.min_odds_ratio)
    ranked = _rank_needs(frame, level, params)
    needed = pl.when(pl.col("test") == "presence").then(present).otherwise(ranked)
    return frame.with_columns(n_needed=needed).with_columns(
        verdict=verdict(params.alpha, floor(params))
    )


def effect() -> pl.Expr:
    """What must be large before the concept, and neither the stratum nor its parts, is it."""
    return pl.min_horizontal("log_odds_alike", "log_odds_parts")


def floor(params: EnrichmentParams) -> pl.Expr:
    """The smallest effect that makes a label, in log odds, for the test of the row."""
    odds_of_auroc = params.min_auroc / (1 - params.min_auroc)
    smallest = pl.when(pl.col("test") == "presence").then(math.log(params.min_odds_ratio))
    return smallest.otherwise(math.log(odds_of_auroc))


def _rank_needs(frame: pl.DataFrame, level: float, params: EnrichmentParams) -> pl.Series:
    """Active problems needed by the rank test: its problems times the share of active ones."""
    auroc = np.fmax(frame["auroc"].to_numpy(), params.min_auroc)
    base = frame["base_rate"].fill_null(0.0).to_numpy()
    needed = rank_test_needs(auroc, base, level, params.power)
    active = frame.select(share("n_active", "n_total").fill_null(0.0)).to_series().to_numpy()
    return pl.Series(np.ceil(needed * active), nan_to_null=True).cast(pl.Int64)
