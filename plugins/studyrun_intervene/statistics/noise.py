"""What is measured where nothing was edited: the floor below which no effect is believed; pure."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["NoiseFloor", "above_floor", "noise_floor"]


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """Absolute values of the quantity, measured again without an edit."""

    largest: float
    mean: float


def noise_floor(repeats: Float[Tensor, " problems"]) -> NoiseFloor:
    """The largest and the mean absolute value of repeated measurements of "no edit".

        largest = max_p |r_p|,    mean = sum_p |r_p| / P

    Raises:
        ValueError: nothing was repeated, or a value is not finite.
    """
    if len(repeats) == 0:
        raise ValueError("nothing was measured again: the floor is undefined")
    if not repeats.isfinite().all():
        raise ValueError("a repeated measurement is not a finite number")
    size = repeats.double().abs()
    return NoiseFloor(float(size.max()), float(size.mean()))


def above_floor(means: Float[Tensor, " edits"], floor: NoiseFloor) -> Bool[Tensor, " edits"]:
    """Which edits' means are, in absolute value, above the largest value that noise had.

    A mean of noise is never above it, however few problems it is over. False where NaN.
    """
    return means.abs() > floor.largest
