"""Whether an edit matters more where a concept holds; pure."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from studyrun_classify.statistics.incidence import pieces
from studyrun_intervene.statistics.acting import effect_means, on_acting
from studyrun_intervene.statistics.bootstrap import difference_interval
from studyrun_intervene.statistics.intervals import Interval
from studyrun_intervene.statistics.tails import Tails, as_large

__all__ = ["Specificity", "label_exchange_test", "random_orders", "specificity"]

AT_ONCE = 2**18
"""Numbers of some edits that are put in another order at once; they stay in the cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Specificity:
    """Effects on acting problems with the concept against those without, one per edit."""

    n_with: Int[Tensor, " edits"]
    n_without: Int[Tensor, " edits"]
    mean_with: Float[Tensor, " edits"]
    """NaN where there is no such problem."""
    mean_without: Float[Tensor, " edits"]
    """NaN where there is no such problem."""
    ratio: Float[Tensor, " edits"]
    """mean_with / mean_without; NaN where either is NaN or the second is 0."""
    difference: Float[Tensor, " edits"]
    """mean_with - mean_without; NaN where either is NaN."""
    interval: Interval
    """Of the difference; NaN where either side has fewer than 2 problems."""
    p: Tails
    """Of the difference; NaN where either side has no problem."""


def specificity(
    values: Float[Tensor, "edits problems"],
    acts: Bool[Tensor, "edits problems"],
    holds: Bool[Tensor, "edits problems"],
    weights: Float[Tensor, "resamples problems"],
    orders: Int[Tensor, "shuffles problems"],
    confidence: float = 0.95,
) -> Specificity:
    """Every edit's effect where its concept holds, against its effect where it does not.

    Args:
        values: effects.
        acts: where the edit acts; other problems are not looked at.
        holds: where the edit's own concept holds.
        weights: `resampled_rows`.
        orders: `random_orders`.
        confidence: of the interval.

    Raises:
        ValueError: an effect on an acting problem is not finite, or there are no resamples.
    """
    inside, outside = acts & holds, acts & ~holds
    having, others = effect_means(values, inside), effect_means(values, outside)
    ratio = having.acting / others.acting
    return Specificity(
        n_with=having.n,
        n_without=others.n,
        mean_with=having.acting,
        mean_without=others.acting,
        ratio=torch.where(others.acting != 0, ratio, torch.nan),
        difference=having.acting - others.acting,
        interval=difference_interval(values, inside, outside, weights, confidence),
        p=label_exchange_test(values, acts, holds, orders),
    )


def random_orders(
    problems: int, shuffles: int, generator: torch.Generator
) -> Int[Tensor, "shuffles problems"]:
    """Orders of 0 ... problems - 1, each as likely as any other.

    Without the numbers from n on, one of n things, each as likely, too.
    """
    keys = torch.rand(shuffles, problems, generator=generator, dtype=torch.float64)
    return keys.argsort(dim=1)


def label_exchange_test(
    values: Float[Tensor, "edits problems"],
    acts: Bool[Tensor, "edits problems"],
    holds: Bool[Tensor, "edits problems"],
    orders: Int[Tensor, "shuffles problems"],
) -> Tails:
    """P-values of the difference of means with and without the concept, over acting problems.

    If the concept has nothing to do with the effect, any n_with of the acting problems could have
    it. With T the sum of the effects, less their mean, over those that have it, and T_b the same
    over the first n_with acting problems in an order drawn at random:

        p = (1 + #{T_b >= T}) / (1 + B),    two-sided with |T_b| >= |T|

    T grows with the difference of means, so this is its test. A rank test is right with heavy ties
    only in large samples, by a corrected variance; this one is valid with any ties and any number
    of problems, since equal sums count against the edit (sums that differ by rounding are equal).
    For 0/1 outcomes it is Fisher's exact test, sampled. What it refutes is that effects with and
    without the concept are alike, in spread too.

    NaN where all acting problems, or none, have the concept. P is at least 1 / (1 + B).

    Raises:
        ValueError: an effect on an acting problem is not finite.

    Source: Pitman 1937, Supplement to the Journal of the Royal Statistical Society 4, 119-130;
    Phipson and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9, 39.
    """
    effects, orders = on_acting(values, acts), orders.to(values.device)
    n, n_with = acts.sum(1), (acts & holds).sum(1)
    p, by_n = effects.new_empty(len(effects), 2), n.argsort()
    for some in pieces(len(by_n), AT_ONCE // max(acts.shape[1], 1)):
        rows = by_n[some]
        p[rows] = _exchange(effects[rows], acts[rows], holds[rows], orders)
    p[(n_with == 0) | (n_with == n)] = torch.nan
    return Tails(p[:, 0], p[:, 1])


def _exchange(
    effects: Float[Tensor, "edits problems"],
    acts: Bool[Tensor, "edits problems"],
    holds: Bool[Tensor, "edits problems"],
    orders: Int[Tensor, "shuffles problems"],
) -> Float[Tensor, "edits 2"]:
    """P-values of some edits, about equally frequent: other problems are cut away."""
    n = acts.sum(1, keepdim=True)
    acting = acts.byte().argsort(dim=1, descending=True, stable=True)[:, : int(n.max())]
    acts, holds, effects = (each.gather(1, acting) for each in (acts, holds, effects))
    centred = torch.where(acts, effects - effects.sum(1, keepdim=True) / n, 0.0)
    given = acts & holds
    samples = _exchanged(centred, acts, given.sum(1, keepdim=True), orders)
    counts = as_large(samples, (centred * given).sum(1), effects.abs().sum(1))
    return (1 + counts) / (1 + len(orders))


def _exchanged(
    effects: Float[Tensor, "edits places"],
    acts: Bool[Tensor, "edits places"],
    n_with: Int[Tensor, "edits 1"],
    orders: Int[Tensor, "shuffles problems"],
) -> Float[Tensor, "edits shuffles"]:
    """The sum over the first `n_with` acting problems in every order; `effects` is 0 elsewhere."""
    sums, places = effects.new_empty(len(orders), len(effects)), effects.shape[1]
    for row, order in zip(sums, orders, strict=True):
        some = order[order < places]
        drawn = acts[:, some].cumsum(1, dtype=torch.int32) <= n_with
        row.copy_((effects[:, some] * drawn).sum(1))
    return sums.T
