"""What several classifiers say of the same features, and how far they agree."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun_classify import columns
from studyrun_classify.kinds import is_labelled
from studyrun_classify.statistics.intervals import Estimate, normal_quantile

__all__ = ["AGREEMENT", "COMPARED", "agreement", "compared", "kappa"]

COMPARED = columns.COMPARED.schema()
AGREEMENT = columns.AGREEMENT.schema()
NO_LABEL = "no label"

Floats = NDArray[np.float64]


def compared(labels: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Every feature with what every classifier says of it, classifier by classifier.

    Args:
        labels: the main table of each classifier, by its name.
    """
    rows = [
        table.select(*COMPARED.names()[:1], pl.lit(name).alias("classifier"), *COMPARED.names()[2:])
        for name, table in labels.items()
    ]
    return pl.concat([COMPARED.to_frame(), *rows])


def agreement(labels: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """A row for every two classifiers, in order: how many features they say the same of.

    `both_labelled` features have a label by both, `same_label` of them the same. `same_kind` counts
    over all features: one kind of label by both, or no label by both (what a classifier calls
    `general`, `insufficient` or `unknown` is one answer here). `kappa` is of these.

    Args:
        labels: the main table of each classifier, by its name.
    """
    rows = [_pair(labels, one, other) for one, other in combinations(labels, 2)]
    return pl.DataFrame(rows, AGREEMENT)


def _pair(labels: Mapping[str, pl.DataFrame], one: str, other: str) -> dict[str, Any]:
    said = [
        labels[name].select("feature", label=pl.when(is_labelled()).then("label"), kind=_answer())
        for name in (one, other)
    ]
    both = said[0].join(said[1], on="feature", suffix="_other")
    together = both.drop_nulls(["label", "label_other"])
    counts = _contingency(both["kind"], both["kind_other"])
    estimate = kappa(counts)
    return {
        "classifier": one,
        "other": other,
        "n_features": both.height,
        "both_labelled": together.height,
        "same_label": together.filter(pl.col("label") == pl.col("label_other")).height,
        "same_kind": int(counts.trace()),
        "kappa": _known(estimate.value),
        "ci_low": _known(estimate.low),
        "ci_high": _known(estimate.high),
    }


def _answer() -> pl.Expr:
    return pl.when(is_labelled()).then("kind").otherwise(pl.lit(NO_LABEL))


def _contingency(one: pl.Series, other: pl.Series) -> Floats:
    """(answers, answers) how many features the first says i of and the second j."""
    answers = {answer: i for i, answer in enumerate(sorted({*one, *other}))}
    counts = np.zeros((len(answers), len(answers)))
    for first, second in zip(one, other, strict=True):
        counts[answers[first], answers[second]] += 1
    return counts


def _known(value: Floats) -> float | None:
    return None if np.isnan(value) else float(value)


def kappa(counts: Floats, confidence: float = 0.95) -> Estimate:
    """Cohen's kappa: agreement beyond what the margins alone would give, 1 at most.

        kappa = (p_o - p_e) / (1 - p_e),    p_o = sum_i p_ii,    p_e = sum_i p_i. p_.i

    NaN where p_e is 1 (both always give one and the same answer) or nothing was counted. The
    interval is the large-sample one, within [-1, 1]; its ends are NaN where its width is 0, which
    is what complete agreement gives however few were counted. Features are taken as independent.

    Source: Cohen 1960, Educational and Psychological Measurement 20, 37-46; the standard error is
    that of Fleiss, Cohen and Everitt 1969, Psychological Bulletin 72, 323-327, equation 13.

    Args:
        counts: (answers, answers), one classifier's in rows, the other's in columns.
        confidence: of the interval.
    """
    n = counts.sum()
    nothing = np.asarray(np.nan)
    p = counts / n if n else counts
    rows, columns, seen = p.sum(axis=1), p.sum(axis=0), p.trace()
    by_chance = rows @ columns
    if not n or np.isclose(by_chance, 1.0, rtol=0, atol=1e-12):
        return Estimate(nothing, nothing, nothing)
    value = np.asarray((seen - by_chance) / (1 - by_chance))
    weights = (rows[None, :] + columns[:, None]) * (1 - seen)
    np.fill_diagonal(weights, 1 - by_chance - weights.diagonal())
    spread = (p * weights**2).sum() - (seen * by_chance - 2 * by_chance + seen) ** 2
    half = normal_quantile(confidence) * np.sqrt(max(spread, 0.0) / n) / (1 - by_chance) ** 2
    if half < 1e-9:
        return Estimate(value, nothing, nothing)
    return Estimate(value, np.maximum(value - half, -1), np.minimum(value + half, 1))
