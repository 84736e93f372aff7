"""Many tests at once: the false-discovery rate over edits; pure."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from studyrun_classify.statistics.association import adjusted

__all__ = ["q_values"]


def q_values(p: Float[Tensor, " tests"]) -> Float[Tensor, " tests"]:
    """P-values after Benjamini-Hochberg over those that are not NaN; NaN stays NaN.

        q_(i) = min_{j >= i} m p_(j) / j,    m the number of p-values that are not NaN

    Raises:
        ValueError: a p-value is not between 0 and 1.

    Source: Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57, 289-300.
    """
    known = ~p.isnan()
    q = torch.full_like(p, torch.nan)
    q[known] = torch.from_numpy(adjusted(p[known].double().cpu().numpy())).to(p)
    return q
