"""L1-penalised logistic regression, its penalty chosen by cross-validation; pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, hstack
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

__all__ = [
    "Fit", "Probe", "Sample", "chosen", "fitted", "folds", "penalties", "sample_of", "sparse_probe",
]  # fmt: skip

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]

FREE = 100.0
"""The value of a stratum's column, where features have a standard deviation of 1: its weight, and
with it the penalty, is so much smaller that the penalty has no say in it."""
TOLERANCE = 1e-5
MAX_ITER = 10_000
"""Of liblinear; what is usual are tens. It warns where they were not enough."""
SLACK = 1e-3
"""By how much of the penalty a gradient must exceed it before a feature is let in."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Problems to fit on or to predict."""

    x: csc_array
    """(problems, strata + features): a column for each stratum, then the features, scaled."""
    y: Bools
    """(problems,) whether the concept holds."""
    n_strata: int

    def on(self, rows: Bools) -> Sample:
        """The same for some of the problems."""
        return replace(self, x=self.x.tocsr()[rows].tocsc(), y=self.y[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """log odds of the concept = x @ weights."""

    weights: Floats
    """(strata + features,)"""
    gradient: Floats
    """(strata + features,) of the mean log loss, its size."""
    converged: bool
    """False where the solver gave up; the weights are those that it had reached."""

    def losses(self, sample: Sample) -> Floats:
        """(problems,) the log loss of each, in nats."""
        odds = sample.x @ self.weights
        return np.asarray(np.logaddexp(0.0, np.where(sample.y, -odds, odds)))


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A sparse logistic regression with the penalty that cross-validation chose."""

    weights: Floats
    """(features,) log odds for each standard deviation; most are 0."""
    penalty: float
    converged: bool


def sparse_probe(sample: Sample, fold: Places) -> Probe:
    """The probe of a sample, all of it done within the sample.

    Args:
        sample: at least two problems with the concept and two without.
        fold: (problems,) the fold of each, as of `folds`.
    """
    path = penalties(sample)
    if not len(path):
        return Probe(np.zeros(sample.x.shape[1] - sample.n_strata), np.nan, converged=True)
    penalty = chosen(sample, path, fold)
    fit = fitted(sample, penalty)
    return Probe(fit.weights[sample.n_strata :], penalty, fit.converged)


def sample_of(x: csr_array, y: Bools, stratum: Places) -> Sample:
    """A sample in which each stratum has a base rate of its own, free of any penalty.

    Args:
        x: (problems, features) of one scale.
        y: (problems,) whether the concept holds.
        stratum: (problems,) which problems are alike.
    """
    values, columns = np.unique(stratum, return_inverse=True)
    cells = (np.full(len(y), FREE), (np.arange(len(y)), columns))
    free = csr_array(cells, shape=(len(y), len(values)))
    design = csc_array(hstack([free, x]))
    design.indices, design.indptr = (  # what liblinear takes
        index.astype(np.int32) for index in (design.indices, design.indptr)
    )
    return Sample(design, y, len(values))


def penalties(sample: Sample, count: int = 10, smallest: float = 0.05) -> Floats:
    """From the smallest penalty that leaves no feature a weight, evenly in the logarithm.

    It is the largest |mean of x (y - base rate of the stratum)|. Empty if that is 0.

    Args:
        sample: what will be fitted.
        count: how many.
        smallest: the last as a share of the first.
    """
    stratum = sample.x[:, : sample.n_strata] / FREE
    base_rate = stratum @ ((stratum.T @ sample.y) / stratum.sum(axis=0))
    gradient = sample.x.T @ (sample.y - base_rate)
    largest = np.abs(gradient[sample.n_strata :]).max(initial=0.0) / len(sample.y)
    return largest * np.geomspace(1.0, smallest, count) if largest > 0 else np.empty(0)


def fitted(sample: Sample, penalty: float, start: Fit | None = None) -> Fit:
    """The weights that minimise mean log loss + penalty * sum |weights of the features|.

    The solver is given the features that have a weight in `start` and is asked again with those
    whose gradient exceeds the penalty, until there are none: what it was not given has weight 0.

    Args:
        sample: problems with and without the concept.
        penalty: above 0.
        start: a fit at a similar penalty.

    Source: Tibshirani et al. 2012, Journal of the Royal Statistical Society B 74, 245-266 (the
    conditions of the optimum, and why few features need be looked at); scikit-learn's
    LogisticRegression with the solver liblinear (Fan et al. 2008, Journal of Machine Learning
    Research 9, 1871-1874).
    """
    free = np.arange(sample.x.shape[1]) < sample.n_strata
    inside = free if start is None else (start.weights != 0) | (start.gradient > penalty) | free
    while True:
        fit = _solved(sample, inside, penalty)
        missing = (fit.gradient > penalty * (1 + SLACK)) & ~inside
        if not missing.any():
            return fit
        inside = inside | missing


def _solved(sample: Sample, inside: Bools, penalty: float) -> Fit:
    """The optimum among weights that are 0 outside `inside`."""
    n = len(sample.y)
    solver = LogisticRegression(
        solver="liblinear",
        l1_ratio=1.0,
        C=1 / (penalty * n),
        fit_intercept=False,
        tol=TOLERANCE,
        max_iter=MAX_ITER,
        random_state=0,
    )
    solver.fit(sample.x[:, np.flatnonzero(inside)].tocsr(), sample.y)
    weights = np.zeros(len(inside))
    weights[inside] = solver.coef_[0]
    residual = sample.y - expit(sample.x @ weights)
    gradient = np.abs(sample.x.T @ residual) / n
    return Fit(weights, gradient, converged=bool(solver.n_iter_[0] < MAX_ITER))


def folds(y: Bools, stratum: Places, count: int, seed: int) -> Places:
    """(problems,) the fold of each: all folds have alike shares of every answer and stratum.

    With two problems or more of an answer, no fold holds all of them.
    """
    drawn = np.random.default_rng(seed).permutation(len(y))
    fold = np.empty(len(y), dtype=np.intp)
    fold[np.lexsort((drawn, stratum, y))] = np.arange(len(y)) % count
    return fold


def chosen(sample: Sample, path: Floats, fold: Places) -> float:
    """The largest penalty whose log loss is within one standard error of the smallest.

    Losses are those of problems whose fold was left out of the fit, the standard error that of the
    mean difference, problem by problem. The path is left where losses grow again.

    Args:
        sample: the problems.
        path: penalties, the largest first; at least one.
        fold: (problems,) the fold of each.

    Source: the rule of one standard error, Breiman et al. 1984, Classification and Regression
    Trees, section 3.4.3.
    """
    losses: list[Floats] = []
    best = np.empty(0)
    for loss in _left_out(sample, path, fold):
        losses.append(loss)
        best = min(losses, key=np.mean)
        if _worse(loss, best):
            break
    good = [not _worse(loss, best) for loss in losses]
    return float(path[good.index(True)])


def _left_out(sample: Sample, path: Floats, fold: Places) -> Iterator[Floats]:
    """For each penalty, the losses of all problems, each by the fit without its fold."""
    unseen = [fold == number for number in np.unique(fold)]
    parts = [(sample.on(~rows), sample.on(rows)) for rows in unseen]
    fits: list[Fit | None] = [None] * len(unseen)
    for penalty in path:
        loss = np.empty(len(sample.y))
        for number, (seen, left_out) in enumerate(parts):
            fit = fits[number] = fitted(seen, penalty, fits[number])
            loss[unseen[number]] = fit.losses(left_out)
        yield loss


def _worse(loss: Floats, best: Floats) -> bool:
    """Whether the mean loss is more than one standard error of the difference above the best."""
    above = loss - best
    return bool(above.mean() > above.std(ddof=1) / np.sqrt(len(above)))
