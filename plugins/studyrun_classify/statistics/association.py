"""`associate`: from counts to tested associations; pure functions of a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.stats import false_discovery_control

from studyrun_classify.params import EnrichmentParams
from studyrun_classify.statistics.intervals import log_odds
from studyrun_classify.statistics.power import rate_at, rate_test_needs
from studyrun_classify.statistics.tails import hypergeometric_tail

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["adjusted", "associate", "judged", "level_of", "presence_needs", "rates", "share",
           "upper_tails", "verdict"]  # fmt: skip

COUNTS = ("n_active", "n_active_with", "n_total", "n_with")
TESTED = ("p", "q", "rate", "base_rate", "lift", "log_odds", "ci_low", "ci_high", "verdict",
          "n_needed")  # fmt: skip


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
    _check(counts)
    p = upper_tails(counts)
    q = adjusted(p)
    params = EnrichmentParams(alpha=alpha, power=power, min_odds_ratio=min_odds_ratio)
    return judged(counts, p, q, level_of(q, alpha), params)


def judged(
    counts: pl.DataFrame, p: Floats, q: Floats, level: float, params: EnrichmentParams
) -> pl.DataFrame:
    """`counts` as `associate` gives them, once p and q are known.

    Args:
        counts: all rows that were tested, or some of them.
        p: (rows,) of these.
        q: (rows,) of these, from the p of all rows.
        level: `level_of` all rows.
        params: its `alpha`, `power` and `min_odds_ratio`.
    """
    frame = rates(counts).with_columns(p=p, q=q)
    frame = frame.with_columns(n_needed=presence_needs(frame, level, params))
    smallest = pl.lit(math.log(params.min_odds_ratio))
    frame = frame.with_columns(verdict=verdict(params.alpha, smallest))
    return frame.select(*counts.columns, *TESTED)


def rates(counts: pl.DataFrame) -> pl.DataFrame:
    """`counts` with `rate`, `base_rate`, `lift`, `log_odds`, `ci_low`, `ci_high`."""
    active, both, total, having = _numbers(counts)
    odds = log_odds(both, active - both, having - both, total - active - having + both)
    rate, base = share("n_active_with", "n_active"), share("n_with", "n_total")
    return counts.with_columns(
        rate=rate,
        base_rate=base,
        lift=pl.when(pl.col("n_with") > 0).then(rate / base),
        log_odds=odds.value,
        ci_low=odds.low,
        ci_high=odds.high,
    )


def upper_tails(counts: pl.DataFrame) -> Floats:
    """(rows,) P(X >= n_active_with) if the active problems were any n_active of n_total."""
    active, both, total, having = _numbers(counts)
    return hypergeometric_tail(both, active, having, total)


def _numbers(counts: pl.DataFrame) -> tuple[Floats, ...]:
    return tuple(counts[name].cast(pl.Float64).to_numpy() for name in COUNTS)


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


def adjusted(p: Floats) -> Floats:
    """The q-values: p after Benjamini-Hochberg over all of them; nothing for nothing.

    Source: Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57, 289-300.
    """
    return np.asarray(false_discovery_control(p)) if len(p) else np.empty(0)


def level_of(q: Floats, alpha: float) -> float:
    """The p-value at which one finding more would be accepted: alpha * (findings + 1) / rows."""
    findings = int(np.count_nonzero(q <= alpha))
    return alpha * min((findings + 1) / max(len(q), 1), 1.0)


def presence_needs(frame: pl.DataFrame, level: float, params: EnrichmentParams) -> pl.Series:
    """`n_needed` of every row, as `associate` says; null where out of reach."""
    base = frame["base_rate"].fill_null(0.0).to_numpy()
    active = frame.select(share("n_active", "n_total").fill_null(0.0)).to_series().to_numpy()
    smallest = rate_at(params.min_odds_ratio, base, active)
    rate = np.fmax(frame["rate"].cast(pl.Float64).to_numpy(), smallest)
    needed = rate_test_needs(rate, base, active, level, params.power)
    return pl.Series(needed, nan_to_null=True).cast(pl.Int64)


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
