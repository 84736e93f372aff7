"""The place of an edit among others that are alike in frequency and activation; pure."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from studyrun_intervene.statistics.tails import TIE

__all__ = ["MatchedRank", "means_of", "rank_among_matched"]


@dataclass(frozen=True, slots=True, eq=False)
class MatchedRank:
    """Where edits stand among their controls, one per edit."""

    n: Int[Tensor, " edits"]
    """Controls whose mean is known."""
    share_below: Float[Tensor, " edits"]
    """Share of these with a smaller mean, equal ones counted half; NaN where there is none."""
    p: Float[Tensor, " edits"]
    """One-sided, of an edit that matters more than its controls; NaN where there is none."""


def means_of(
    means: Float[Tensor, " others"], rows: Int[Tensor, "edits controls"]
) -> Float[Tensor, "edits controls"]:
    """The controls' means, looked up by row; NaN for the row -1, which stands for none.

    Raises:
        IndexError: there is no such row.
    """
    return torch.cat([means, means.new_full((1,), torch.nan)])[torch.where(rows < 0, -1, rows)]


def rank_among_matched(
    own: Float[Tensor, " edits"], controls: Float[Tensor, "edits controls"]
) -> MatchedRank:
    """The place of every edit's mean among those of its controls.

        share_below = (#{control < own} + #{control = own} / 2) / M
        p = (1 + #{control >= own}) / (1 + M)

    The p-value is valid if edit and controls are exchangeable: none was chosen by its effect.
    Means that differ by rounding are equal. Controls whose mean is NaN do not count; M are the
    others. NaN where M is 0 or the edit's own mean is NaN.

    Args:
        own: mean effects over acting problems.
        controls: those of each edit's controls, over the problems on which these act.

    Source: Barnard 1963, Journal of the Royal Statistical Society B 25, 294.
    """
    mine, known = own[:, None], ~controls.isnan()
    equal = (controls - mine).abs() <= TIE * torch.maximum(controls.abs(), mine.abs())
    below = (controls < mine) & ~equal
    n, at_least = known.sum(1), (known & ~below).sum(1).double()
    share, p = (below + 0.5 * equal.double()).sum(1) / n, (1 + at_least) / (1 + n)
    testable = (n > 0) & ~own.isnan()
    return MatchedRank(n, *(torch.where(testable, each, torch.nan) for each in (share, p)))
