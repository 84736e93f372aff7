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
from studyrun_classify.mann_whitney import rank_test
from studyrun_classify.params import EnrichmentParams
from studyrun_classify.power import rank_test_needs

__all__ = ["floor", "judged", "tests"]

Floats = NDArray[np.float64]
PAIR = ("feature", "concept")


def tests(incidence: Incidence, strong: NDArray[np.bool_]) -> pl.DataFrame:
    """The counts and the tests of all pairs, on all the problems of `incidence`.

    Columns: those of `presence`; `test` (`presence` or `magnitude`); `auroc`; `p_given_parts` and
    `log_odds_given_parts`, the same test within the problems in which all parts of the concept hold
    (null for a concept without parts); `p_claim`, the larger p: what must be small before the
    concept, and not one of its parts, is said to be it.

    Args:
        incidence: the matrices.
        strong: (features,) those whose |activation| is tested, not whether they are active.
    """
    frame = pl.concat([_by_presence(incidence.of(~strong)), _by_magnitude(incidence.of(strong))])
    return frame.with_columns(p_claim=pl.max_horizontal("p", "p_given_parts"))


def _by_presence(incidence: Incidence) -> pl.DataFrame:
    given = presence(counts(incidence.with_parts(), within_parts=True)).select(
        *PAIR, p_given_parts="p", log_odds_given_parts="log_odds"
    )
    frame = presence(counts(incidence)).with_columns(
        test=pl.lit("presence"), auroc=pl.lit(None, pl.Float64)
    )
    return frame.join(given, on=PAIR, how="left", maintain_order="left")


def _by_magnitude(incidence: Incidence) -> pl.DataFrame:
    strength = incidence.strength.toarray()
    found = rank_test(strength, incidence.holds)
    nothing = pl.lit(None, pl.Float64)
    frame = counts(incidence).with_columns(
        p=_series(found.p),
        rate=nothing,
        base_rate=share("n_with", "n_total"),
        lift=nothing,
        log_odds=_series(found.log_odds.value),
        ci_low=_series(found.log_odds.low),
        ci_high=_series(found.log_odds.high),
        test=pl.lit("magnitude"),
        auroc=_series(found.auroc),
    )
    given = _magnitude_given_parts(incidence.with_parts(), strength)
    return frame.join(given, on=PAIR, how="left", maintain_order="left")


def _magnitude_given_parts(incidence: Incidence, strength: Floats) -> pl.DataFrame:
    """The test of each concept within the problems in which its parts hold."""
    p, log_odds = np.ones((2, len(strength), len(incidence.concepts)))
    for column, within in enumerate(incidence.applies.T):
        found = rank_test(strength[:, within], incidence.holds[within][:, [column]])
        p[:, column], log_odds[:, column] = found.p[:, 0], found.log_odds.value[:, 0]
    return pairs_of(incidence).select(
        *PAIR, p_given_parts=_series(p), log_odds_given_parts=_series(log_odds)
    )


def _series(values: Floats) -> pl.Series:
    return pl.Series(values.ravel(), dtype=pl.Float64, nan_to_null=True)


def judged(tested: pl.DataFrame, params: EnrichmentParams) -> pl.DataFrame:
    """`tested` with `q` over all its rows, `n_needed` and `verdict`, as `associate` gives them."""
    frame = tested.with_columns(q=adjusted(pl.col("p")))
    level = level_of(frame, params.alpha)
    present = presence_needs(frame, level, params.power, params.min_odds_ratio)
    ranked = _rank_needs(frame, level, params)
    needed = pl.when(pl.col("test") == "presence").then(present).otherwise(ranked)
    return frame.with_columns(n_needed=needed).with_columns(
        verdict=verdict(params.alpha, floor(params))
    )


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
