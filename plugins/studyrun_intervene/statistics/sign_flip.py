"""The paired test of an edit against its control: signs of differences flipped; pure."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from studyrun_classify.statistics.incidence import pieces
from studyrun_intervene.statistics.acting import on_acting
from studyrun_intervene.statistics.tails import Tails, as_large

__all__ = ["EXACT_UP_TO", "random_signs", "sign_flip_test"]

EXACT_UP_TO = 12
"""Differences that are not 0 up to which all patterns of signs are looked at."""
AT_ONCE = 2**22
"""Numbers that the largest array of some edits may hold; they take about four such arrays."""


def random_signs(
    problems: int, flips: int, generator: torch.Generator
) -> Float[Tensor, "flips problems"]:
    """-1 or 1, each with probability 1/2, float64."""
    return 2 * torch.randint(0, 2, (flips, problems), generator=generator).double() - 1


def sign_flip_test(
    differences: Float[Tensor, "edits problems"],
    acts: Bool[Tensor, "edits problems"],
    signs: Float[Tensor, "flips problems"],
) -> Tails:
    """P-values of the mean of own - control over acting problems.

    If own and control are exchangeable on every problem, each difference is as likely with the
    opposite sign. With T = sum_p d_p and T_b = sum_p s_bp d_p over the acting problems:

        p = (1 + #{T_b >= T}) / (1 + B),    two-sided with |T_b| >= |T|

    Where at most `EXACT_UP_TO` differences are not 0, p is the share of all patterns of signs with
    T_b >= T, the observed one among them: never below 2^-n for n acting problems, and McNemar's
    exact test for 0/1 outcomes. Sums that differ by rounding are equal.

    NaN where the edit acts on no problem: where it acts was known before any effect was, so that is
    no test, and Benjamini-Hochberg has not to count it. 1 where all differences are 0.

    P is at least 1 / (1 + B). Benjamini-Hochberg over E edits at alpha accepts a single finding
    only where B >= E / alpha.

    Args:
        differences: own - control. The control is one run: the mean of several varies less, so it
            is not exchangeable with the edit.
        acts: where the edit acts.
        signs: `random_signs`, the same for all edits.

    Raises:
        ValueError: a difference on an acting problem is not finite.

    Source: Fisher 1935, The Design of Experiments, 21; Phipson and Smyth 2010, Statistical
    Applications in Genetics and Molecular Biology 9, 39.
    """
    d = on_acting(differences, acts)
    few = (d != 0).sum(1) <= EXACT_UP_TO
    p = d.new_empty(len(d), 2)
    p[few] = _exact(d[few])
    p[~few] = (1 + _counts(d[~few], signs.to(d))) / (1 + len(signs))
    p[~acts.any(1)] = torch.nan
    return Tails(p[:, 0], p[:, 1])


def _exact(d: Float[Tensor, "edits problems"]) -> Float[Tensor, "edits 2"]:
    """Shares among all patterns; at most `EXACT_UP_TO` differences of an edit are not 0.

    A difference of 0 doubles all counts and leaves the shares.
    """
    largest = d.abs().topk(min(EXACT_UP_TO, d.shape[1]), dim=1).indices
    n = torch.arange(largest.shape[1], device=d.device)
    patterns = torch.arange(2 ** len(n), device=d.device)[:, None] >> n & 1
    return _counts(d.gather(1, largest), (2 * patterns - 1).to(d)) / len(patterns)


def _counts(
    d: Float[Tensor, "edits problems"], signs: Float[Tensor, "flips problems"]
) -> Float[Tensor, "edits 2"]:
    """How many flips give as large a sum, and as large an absolute one; some edits at a time."""
    counts = d.new_empty(len(d), 2)
    for some in pieces(len(d), AT_ONCE // max(*signs.shape, 1)):
        own = d[some]
        counts[some] = as_large(own @ signs.T, own.sum(1), own.abs().sum(1))
    return counts
