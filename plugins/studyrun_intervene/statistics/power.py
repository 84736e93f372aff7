"""How many acting problems a paired test needs: the answer to "inconclusive"; pure."""

from __future__ import annotations

from math import ceil, log2

import torch
from jaxtyping import Bool, Float
from scipy.special import ndtri
from torch import Tensor

from studyrun_classify.statistics.power import LARGEST
from studyrun_intervene.statistics.acting import on_acting

__all__ = ["discordant_test_needs", "least_differences", "mean_test_needs"]


def least_differences(alpha: float) -> int:
    """Differences that are not 0 below which no sign-flip test can find anything, two-sided.

    The smallest n with 2^(1 - n) <= alpha.
    """
    return ceil(1 - log2(alpha))


def mean_test_needs(
    differences: Float[Tensor, "edits problems"],
    acts: Bool[Tensor, "edits problems"],
    *,
    alpha: float = 0.05,
    power: float = 0.8,
) -> Float[Tensor, " edits"]:
    """Acting problems with which the observed mean difference would be found, whole numbers.

        n = ((z_{1 - alpha/2} + z_power) * sd / mean)^2,    sd with n - 1

    At least `least_differences`. NaN where fewer than 2 problems act, and where it is out of reach:
    the mean is 0, or more than 10,000,000 problems were needed.

    Args:
        differences: own - control.
        acts: where the edit acts.
        alpha: level of the two-sided test; for one among many that of Benjamini-Hochberg's next
            finding.
        power: probability of the finding.

    Raises:
        ValueError: a difference on an acting problem is not finite.

    Source: the normal approximation; Chow, Shao and Wang 2008, Sample Size Calculations in Clinical
    Research, 3.1.
    """
    d, n = on_acting(differences, acts), acts.sum(1)
    mean = d.sum(1) / n
    squares = torch.where(acts, d - mean[:, None], 0.0).square().sum(1)
    z = float(ndtri(1 - alpha / 2) + ndtri(power))
    needed = z**2 * squares / (n - 1) / mean.square()
    return _whole(torch.where(n >= 2, needed, torch.nan), float(least_differences(alpha)))


def discordant_test_needs(
    differences: Float[Tensor, "edits problems"],
    acts: Bool[Tensor, "edits problems"],
    *,
    alpha: float = 0.05,
    power: float = 0.8,
) -> Float[Tensor, " edits"]:
    """Acting problems with which McNemar's test would find the observed one, whole numbers.

    With s the share of acting problems on which own and control differ (discordant pairs) and d the
    mean difference:

        n = (z_{1 - alpha/2} sqrt(s) + z_power sqrt(s - d^2))^2 / d^2

    So many that `least_differences` of them are discordant, at least. NaN where fewer than 2
    problems act, and where it is out of reach: the mean is 0, or more than 10,000,000 problems were
    needed.

    Args:
        differences: own - control of 0/1 outcomes: -1, 0 or 1.
        acts: where the edit acts.
        alpha: level of the two-sided test.
        power: probability of the finding.

    Raises:
        ValueError: a difference on an acting problem is none of -1, 0 and 1.

    Source: Connor 1987, Biometrics 43, 207-211.
    """
    d, n = on_acting(differences, acts), acts.sum(1)
    if not ((d == 0) | (d.abs() == 1)).all():
        raise ValueError("these are not differences of 0/1 outcomes: some is none of -1, 0 and 1")
    share, mean = d.abs().sum(1) / n, d.sum(1) / n
    z, z_power = float(ndtri(1 - alpha / 2)), float(ndtri(power))
    rest = (share - mean.square()).clamp(min=0)
    needed = (z * share.sqrt() + z_power * rest.sqrt()).square() / mean.square()
    return _whole(torch.where(n >= 2, needed, torch.nan), least_differences(alpha) / share)


def _whole(
    needed: Float[Tensor, " edits"], least: float | Float[Tensor, " edits"]
) -> Float[Tensor, " edits"]:
    """At least so many, rounded up; NaN where out of reach."""
    whole = needed.clamp(min=least).ceil()
    return torch.where(whole <= LARGEST, whole, torch.nan)
