"""The swap protocol: if two features stand for two things, exchanging them exchanges the things.

A pair is tested on problems where exactly one of its two concepts holds and one of its features is
active. Exchanging the concepts in the problem itself gives the counterfactual answer. After the
swap the model's answer is that one (exact), nearer to it (towards), or the same as before. The null
swap exchanges two other features, alike in frequency and activation, on the same problems.

How many problems can carry the test comes first: below the power that is asked for, the verdict is
`inconclusive` and says how many it takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import torch
from torch import Tensor

from studyrun_classify.controls.swap_power import moved_test_needs, moved_test_power
from studyrun_classify.params import SwapTest
from studyrun_intervene.statistics.intervals import wilson
from studyrun_intervene.statistics.sign_flip import random_signs, sign_flip_test

__all__ = ["Carriers", "Outcome", "judged", "too_few"]

FLIPS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Carriers:
    """The problems on which a swap has a direction."""

    table: pl.DataFrame
    """`problem`, `question`, `answer`."""
    expected: list[float]
    """Their counterfactual answers."""
    z: Tensor
    """(problems, d_sae)."""
    source: str
    """`study`, or the data component that made them."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a swap did on every carrier: 0 or 1 each, (problems,)."""

    exact: Tensor
    towards: Tensor
    changed: Tensor
    before: list[str | None] = field(default_factory=list)
    """The model's texts, None where the swap moves nothing."""
    after: list[str | None] = field(default_factory=list)


def too_few(n: int, test: SwapTest) -> tuple[float, int | None]:
    """The power of the test with n problems, and how many it takes."""
    power = float(moved_test_power(np.array([float(n)]), test)[0])
    return power, moved_test_needs(test)


def judged(
    swap: Outcome,
    null: Outcome | None,
    test: SwapTest,
    confidence: float,
    generator: torch.Generator,
) -> Mapping[str, object]:
    """The columns from `exact` to `reason` of a pair that was run on enough problems.

    The swap works if more answers move towards the counterfactual one than by the null swap, by the
    one-sided sign-flip test over problems (McNemar's, exact for few).
    """
    n = len(swap.towards)
    row: dict[str, object] = {}
    for name in ("exact", "towards"):
        count = int(getattr(swap, name).sum())
        low, high = wilson(count, n, confidence)
        row |= {name: count / n, f"{name}_ci_low": low, f"{name}_ci_high": high}
    row["unchanged"] = float(1 - swap.changed.mean())
    if null is None:
        reason = "no other pair of features is alike, so there is no null swap"
        return row | {"verdict": "inconclusive", "reason": reason}
    row |= {
        "null_exact": float(null.exact.mean()),
        "null_towards": float(null.towards.mean()),
        "null_unchanged": float(1 - null.changed.mean()),
    }
    p = _p(swap.towards - null.towards, generator)
    works = p < test.alpha
    said = f"p = {p:.2g} that so many more move towards the counterfactual than by the null swap"
    return row | {"p": p, "verdict": "supported" if works else "refuted", "reason": said}


def _p(difference: Tensor, generator: torch.Generator) -> float:
    signs = random_signs(len(difference), FLIPS, generator)
    acts = torch.ones(1, len(difference), dtype=torch.bool)
    return float(sign_flip_test(difference[None].double(), acts, signs).greater[0])
