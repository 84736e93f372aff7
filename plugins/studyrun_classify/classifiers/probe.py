"""The classifier `probe`: a sparse logistic probe for every concept, read for its features.

After Gurnee et al. 2023, Finding Neurons in a Haystack: Case Studies with Sparse Probing,
Transactions on Machine Learning Research: few units that predict a concept together. There k units
are chosen; here a penalty chooses how many, and every unit chosen is tested by itself on problems
that had no part in choosing it. On SAEs: Kantamneni et al. 2025, Are Sparse Autoencoders Useful? A
Case Study in Sparse Probing (arXiv 2502.16681); Karvonen et al. 2025, SAEBench (arXiv 2503.09532).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import sklearn
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from sklearn.preprocessing import StandardScaler

from studyrun import Classification, Concept, Evidence
from studyrun_classify.classifiers.probe_auroc import Separation, separation
from studyrun_classify.classifiers.probe_path import Probe, folds, sample_of, sparse_probe
from studyrun_classify.classifiers.probe_verdicts import judged, labels, rows_of
from studyrun_classify.params import ProbeParams
from studyrun_classify.statistics.incidence import Incidence, halves, incidence_of

__all__ = ["classify"]

Bools = NDArray[np.bool_]
Places = NDArray[np.intp]


def classify(evidence: Evidence, params: ProbeParams) -> Classification:
    """Labels from features that sparse probes select, each confirmed on the other problems.

    For every concept, with |activation| of the features that have `min_support` active problems:

    1. On the first half of the problems a logistic regression is fitted with an L1 penalty, chosen
       by cross-validation within that half. Most features get no weight.
    2. On the other half the probe is scored, and so is every feature with a weight, by AUROC.
    3. Features with a positive weight are tested there, one-sided, with Benjamini-Hochberg over all
       such pairs of a feature and a concept; `probe_verdicts.labels` makes labels of them.

    The concept must be it, and neither the stratum nor its parts. Strata have base rates of their
    own, free of the penalty, and only problems of one stratum are compared, so that prediction by
    base rates scores 1/2. Strata in which the concept always or never holds say nothing and are
    left out, unless it varies in none: then all problems are compared. A concept with parts is
    probed among problems in which all of them hold; its features are tested there and on all
    problems, and the larger p and the smaller effect count.

    `associations` has a row for each concept and feature with a weight. A concept without any has
    one row with no feature, whose verdict is `insufficient` where it was not probed: fewer than
    `min_support` of the problems that would be compared have it, or lack it.

    Raises:
        StudyError: the problems have no such column as `strata` names.
    """
    incidence = incidence_of(evidence, params.strata)
    enough = evidence.features["n_active"].to_numpy() >= params.min_support
    bench = _bench(incidence.of(enough), evidence.seed)
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        found = [_rows(bench, question, params) for question in _questions(incidence)]
    associations = judged(found, params)
    return Classification(labels(evidence, associations, params), associations)


@dataclass(frozen=True, slots=True, eq=False)
class _Bench:
    """What is the same for all concepts."""

    features: NDArray[np.uint32]
    x: csr_array
    """(problems, features) |activation| / its standard deviation on the first half."""
    first: Places
    """The problems on which probes are fitted,"""
    second: Places
    """and those on which they are scored."""
    seed: int


def _bench(incidence: Incidence, seed: int) -> _Bench:
    first, second = halves(len(incidence.holds), seed)
    strength = csr_array(incidence.strength.T, dtype=np.float64)
    if strength.shape[1]:
        deviation = StandardScaler(with_mean=False).fit(strength[first]).scale_
        strength = csr_array(strength @ diags_array(1 / deviation))
    return _Bench(incidence.features, strength, first, second, seed)


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """One concept and the problems that are compared to find it; arrays (problems,)."""

    concept: Concept
    holds: Bools
    compared: Bools
    stratum: Places
    """Only problems of one stratum are compared."""

    def of(self, half: Places) -> Places:
        """The problems of that half that are compared."""
        return half[self.compared[half]]

    def fewest(self, problems: Places) -> int:
        """How many of the problems have the concept or lack it, whichever are fewer."""
        having = int(self.holds[problems].sum())
        return min(having, len(problems) - having)


def _questions(incidence: Incidence) -> Iterator[_Question]:
    """Every concept, in order."""
    column = {concept.name: index for index, concept in enumerate(incidence.concepts)}
    for index, concept in enumerate(incidence.concepts):
        holds, stratum = incidence.holds[:, index], incidence.stratum
        parts = [column[part] for part in concept.parts if part in column]
        applies = np.asarray(incidence.holds[:, parts].all(axis=1))
        mixed = np.intersect1d(stratum[applies & holds], stratum[applies & ~holds])
        if len(mixed):
            compared = applies & np.isin(stratum, mixed)
        else:  # it is a matter of the stratum alone
            compared, stratum = applies, np.zeros_like(stratum)
        yield _Question(concept, holds, compared, stratum)


def _rows(bench: _Bench, question: _Question, params: ProbeParams) -> pl.DataFrame:
    """What is found of one concept."""
    first, second = question.of(bench.first), question.of(bench.second)
    every = np.concatenate([first, second])
    named = {"concept": question.concept.name, "kind": question.concept.kind}
    few = question.fewest(every) < params.min_support
    if few or min(question.fewest(first), question.fewest(second)) < 2:
        counted = {"n_total": len(every), "n_with": question.holds[every].sum()}
        return rows_of(named | counted | {"verdict": "insufficient", "n_selected": 0})
    holds, stratum = question.holds[first], question.stratum[first]
    fold = folds(holds, stratum, params.folds, bench.seed)
    probe = sparse_probe(sample_of(bench.x[first], holds, stratum), fold)
    counted = {"n_total": len(second), "n_with": question.holds[second].sum()}
    return rows_of(named | counted | _scored(bench, question, probe))


def _scored(bench: _Bench, question: _Question, probe: Probe) -> dict[str, Any]:
    """The probe and each of its features on the half on which it was not fitted."""
    chosen = np.flatnonzero(probe.weights)
    said = {"n_selected": len(chosen), "penalty": probe.penalty, "converged": probe.converged}
    if not len(chosen):
        return said | {"verdict": "not-enriched"}
    used, weights = bench.x[:, chosen].tocsr(), probe.weights[chosen]
    seen = question.of(bench.second)

    def separated(scores: Any, problems: Places) -> Separation:
        return separation(scores, question.holds[problems], question.stratum[problems])

    whole = separated((used[seen] @ weights)[None], seen)
    alone = separated(used[seen].toarray().T, seen)
    anywhere = separated(used[bench.second].toarray().T, bench.second)
    active = used[seen].astype(np.bool_)
    return said | {
        "feature": bench.features[chosen],
        "weight": weights,
        "n_active": active.sum(axis=0),
        "n_active_with": active[question.holds[seen]].sum(axis=0),
        "auroc": alone.auroc,
        "log_odds": alone.log_odds.value,
        "ci_low": alone.log_odds.low,
        "ci_high": alone.log_odds.high,
        "untied": np.minimum(alone.untied, anywhere.untied),
        "p": np.maximum(alone.p, anywhere.p),
        "probe_auroc": whole.auroc[0],
        "probe_low": whole.interval.low[0],
        "probe_high": whole.interval.high[0],
    }
