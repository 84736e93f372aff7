"""P-values of a number among those that would be as likely if nothing mattered; pure."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["TIE", "Tails", "as_large"]

TIE = 1e-9
"""Sums that differ by less than this share of what was added up are equal.

In float64 a sum of n terms is off by at most n * 1.1e-16 of it. To call more numbers equal can
only make a p-value larger.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Tails:
    """P-values, one per edit; NaN where nothing could be tested."""

    greater: Float[Tensor, " edits"]
    """One-sided: the edit's number is the larger one."""
    two_sided: Float[Tensor, " edits"]
    """It is another one, in whichever direction."""


def as_large(
    samples: Float[Tensor, "edits samples"],
    observed: Float[Tensor, " edits"],
    added: Float[Tensor, " edits"],
) -> Float[Tensor, "edits 2"]:
    """How many of an edit's samples are as large as what was observed; and how many as far from 0.

        #{T_b >= T - s},    #{|T_b| >= |T| - s},    s = TIE * added

    Args:
        samples: T_b, sums whose mean is 0 if nothing matters.
        observed: T.
        added: the sum of the absolute values of what each of them adds up.
    """
    slack = TIE * added
    greater = samples >= (observed - slack)[:, None]
    either = samples.abs() >= (observed.abs() - slack)[:, None]
    return torch.stack([greater.sum(1), either.sum(1)], dim=1).double()
