"""The classifier `enrichment`: found on one half of the problems, confirmed on the other."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun import Classification, Evidence
from studyrun_classify.association import adjusted
from studyrun_classify.incidence import Incidence, halves, incidence_of
from studyrun_classify.params import EnrichmentParams
from studyrun_classify.stratified import always_on
from studyrun_classify.tests import effect, floor, judged, tests
from studyrun_classify.verdicts import labels

__all__ = ["classify", "confirm"]

PAIR = ["feature", "concept"]


def classify(evidence: Evidence, params: EnrichmentParams) -> Classification:
    """Labels from confirmed associations only; `general` or `insufficient` otherwise.

    1. Every pair of a feature that is ever active and a concept is tested on all problems.
    2. On the first half of the problems, pairs of features with `min_support` active problems are
       tested; Benjamini-Hochberg over all of them finds some at false-discovery rate `alpha`.
    3. On the other half only those are tested again, with Benjamini-Hochberg over them.
    4. What is found, confirmed and strong enough there can be the label; see `verdicts`.

    The concept must be it, and neither the stratum nor its parts: problems are compared only with
    problems that are alike in `strata`, and for a concept with parts the larger of two p-values
    goes through steps 2 and 3, the other being that among problems in which all its parts hold.

    Raises:
        StudyError: the problems have no such column as `strata` names.
    """
    incidence = incidence_of(evidence, params.strata)
    n_active = evidence.features["n_active"].to_numpy()
    strong = always_on(incidence, params.always_on)

    def tested(some: Incidence, features: NDArray[np.bool_]) -> pl.DataFrame:
        return tests(some.of(features), strong[features], params.alpha)

    every = judged(tested(incidence, n_active > 0), params)
    first, second = (
        tested(incidence.on(half), n_active >= params.min_support)
        for half in halves(evidence.problems.height, evidence.seed)
    )
    confirmed = confirm(first, second, params)
    qs = confirmed.select(*PAIR, "q_discovery", "q_confirmation", "confirmed")
    return Classification(
        labels=labels(evidence, every, confirmed, params),
        associations=every.join(qs, on=PAIR, how="left", maintain_order="left"),
    )


def confirm(first: pl.DataFrame, second: pl.DataFrame, params: EnrichmentParams) -> pl.DataFrame:
    """`second` with `p_discovery`, `q_discovery`, `q_confirmation` and `confirmed`.

    `p_discovery` and `q_discovery` are of the first half, `q_confirmation` of the second; it is
    null where the first half found nothing.

    Args:
        first: the tests on the half that finds.
        second: the tests of the same pairs, in the same order, on the half that confirms.
        params: the level and the smallest effects.
    """
    discovery = first.select(p_discovery="p_claim", q_discovery=adjusted(pl.col("p_claim")))
    frame = second.hstack(discovery)
    found = frame.filter(pl.col("q_discovery") <= params.alpha)
    again = found.select(*PAIR, q_confirmation=adjusted(pl.col("p_claim")))
    frame = frame.join(again, on=PAIR, how="left", maintain_order="left")
    holds = (pl.col("q_confirmation") <= params.alpha) & (effect() >= floor(params))
    return frame.with_columns(confirmed=holds.fill_null(value=False))
