"""`associate`: from counts to tested associations; pure functions of a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.stats import false_discovery_control, hypergeom

from studyrun_classify.intervals import log_odds
from studyrun_classify.power import rate_at, rate_test_needs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["adjusted", "associate", "level_of", "presence", "presence_needs", "share", "verdict"]

COUNTS = ("n_active", "n_active_with", "n_total", "n_with")
TESTED = ("p", "q", "rate", "base_rate", "lift", "log_odds", "ci_low", "ci_high")


def associate(
    counts: pl.DataFrame,
    *,
    alpha: float = 0.01,
    power: float = 0.8,
    min_odds_ratio: float = 2.0,
) -> pl.DataFrame:
    """`counts` with, for each row, the test of "more of the active problems have the concept".

    The table may hold active sets, top-n sets or any other sets of problems chosen without looking
    at the concepts. Rows keep their order. Added columns:

    - `p`: exact one-sided hypergeometric P(X >= n_active_with).
    - `q`: `p` after Benjamini-Hochberg over all rows.
    - `rate` = n_active_with / n_active, `base_rate` = n_with / n_total, `lift` = rate / base_rate;
      null where undefined.
    - `log_odds`, `ci_low`, `ci_high`: active against inactive problems, 95 % interval.
    - `verdict`: `enriched` where q <= alpha; else `not-enriched` where n_active >= n_needed or the
      interval excludes an effect of `min_odds_ratio`; else `insufficient`.
    - `n_needed`: active problems with which the observed rate would be found with probability
      `power`, or the rate of `min_odds_ratio` where the observed one is smaller. Found means a
      p-value that Benjamini-Hochberg would accept as the next one of this table:
      alpha * (findings + 1) / rows. Null where out of reach.

    Args:
        counts: columns `feature`, `concept`, `kind`, `n_active`, `n_active_with`, `n_total`,
            `n_with`; others are kept.
        alpha: false-discovery rate.
        power: of `n_needed`.
        min_odds_ratio: of `n_needed` and of `not-enriched`.

    Raises:
        ValueError: a column is missing, or a row's counts contradict each other.
    """
    tested = presence(counts).with_columns(q=adjusted(pl.col("p")))
    needed = presence_needs(tested, level_of(tested, alpha), power, min_odds_ratio)
    judged = tested.with_columns(n_needed=needed)
    judged = judged.with_columns(verdict=verdict(alpha, pl.lit(math.log(min_odds_ratio))))
    return judged.select(*counts.columns, *TESTED, "verdict", "n_needed")


def presence(counts: pl.DataFrame) -> pl.DataFrame:
    """`counts` with `p`, `rate`, `base_rate`, `lift`, `log_odds`, `ci_low`, `ci_high`.

    Raises:
        ValueError: a column is missing, or a row's counts contradict each other.
    """
    _check(counts)
    active, both, total, having = (counts[name].cast(pl.Float64).to_numpy() for name in COUNTS)
    odds = log_odds(both, active - both, having - both, total - active - having + both)
    rate, base = share("n_active_with", "n_active"), share("n_with", "n_total")
    return counts.with_columns(
        p=_upper_tail(both, total, having, active),
        rate=rate,
        base_rate=base,
        lift=pl.when(pl.col("n_with") > 0).then(rate / base),
        log_odds=odds.value,
        ci_low=odds.low,
        ci_high=odds.high,
    )


def _check(counts: pl.DataFrame) -> None:
    wanted = ("feature", "concept", "kind", *COUNTS)
    missing = [name for name in wanted if name not in counts.columns]
    if missing:
        raise ValueError(f"the table of counts has no column {', '.join(missing)}")
    active, both, total, having = (pl.col(name).cast(pl.Int64) for name in COUNTS)
    sound = (both >= 0) & (both <= active) & (both <= having) & (active + having - both <= total)
    wrong = counts.filter(~sound.fill_null(value=False))
    if wrong.height:
        raise ValueError(f"these counts contradict each other: {wrong.row(0, named=True)}")


def share(part: str, whole: str) -> pl.Expr:
    """The share part / whole; null where whole is 0."""
    return pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole))


def _upper_tail(both: Floats, total: Floats, having: Floats, active: Floats) -> Floats:
    """P(X >= both) when `active` of `total` problems are drawn and `having` have the concept."""
    p = np.ones(len(both))
    open_ = both > np.maximum(0, active + having - total)  # else the tail is everything: exactly 1
    p[open_] = hypergeom.sf(both[open_] - 1, total[open_], having[open_], active[open_])
    return np.clip(p, 0.0, 1.0)


def adjusted(p: pl.Expr) -> pl.Expr:
    """The q-values: p after Benjamini-Hochberg over the whole column; nothing for an empty one.

    Source: Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57, 289-300.
    """

    def adjust(column: pl.Series) -> pl.Series:
        return pl.Series(false_discovery_control(column) if len(column) else [], dtype=pl.Float64)

    return p.map_batches(adjust, return_dtype=pl.Float64)


def level_of(tested: pl.DataFrame, alpha: float) -> float:
    """The p-value at which one finding more would be accepted: alpha * (findings + 1) / rows."""
    findings = int((tested["q"] <= alpha).sum())
    return alpha * min((findings + 1) / max(tested.height, 1), 1.0)


def presence_needs(
    tested: pl.DataFrame, level: float, power: float, min_odds_ratio: float
) -> pl.Series:
    """`n_needed` of every row, as `associate` says; null where out of reach."""
    base = tested["base_rate"].fill_null(0.0).to_numpy()
    active = tested.select(share("n_active", "n_total").fill_null(0.0)).to_series().to_numpy()
    smallest = rate_at(min_odds_ratio, base, active)
    rate = np.fmax(tested["rate"].cast(pl.Float64).to_numpy(), smallest)
    return pl.Series(rate_test_needs(rate, base, active, level, power), nan_to_null=True).cast(
        pl.Int64
    )


def verdict(alpha: float, smallest: pl.Expr) -> pl.Expr:
    """The verdict from `q`, `n_active`, `n_needed` and `ci_high`; `smallest` in log odds."""
    absent = (pl.col("n_active") >= pl.col("n_needed")) | (pl.col("ci_high") < smallest)
    return (
        pl.when(pl.col("q") <= alpha)
        .then(pl.lit("enriched"))
        .when(absent)
        .then(pl.lit("not-enriched"))
        .otherwise(pl.lit("insufficient"))
    )
