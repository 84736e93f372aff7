"""How good a reconstruction is and how sparse a code; pure, in float64, over the whole set given.

Nothing is averaged over batches, and what is undefined raises.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

__all__ = [
    "explained_variance",
    "explained_variance_seed",
    "frequency",
    "fvu",
    "mean_l0",
    "mse",
    "n_dead",
]


def fvu(x: Float[Tensor, "rows d_in"], x_hat: Float[Tensor, "rows d_in"]) -> float:
    """The fraction of variance unexplained; predicting the mean scores exactly 1.

    sum (x - x_hat)^2 / sum (x - mean(x))^2, the mean per dimension. The numerator is not
    centred, so a reconstruction that is off by a constant pays for it.

    Raises:
        ValueError: `x` has no variance (one row, or all alike), so the fraction is undefined.
    """
    x, x_hat = x.double(), x_hat.double()
    total = _sum((x - _mean(x)).square()) if len(x) else 0.0
    if total == 0:
        raise ValueError(f"the variance of {len(x)} equal rows is 0: fvu is undefined")
    return _sum((x - x_hat).square()) / total


def explained_variance(x: Float[Tensor, "rows d_in"], x_hat: Float[Tensor, "rows d_in"]) -> float:
    """1 - fvu: 1 is perfect, 0 is predicting the mean, below 0 is worse than that.

    Raises:
        ValueError: as `fvu`.
    """
    return 1 - fvu(x, x_hat)


def explained_variance_seed(
    x: Float[Tensor, "rows d_in"], x_hat: Float[Tensor, "rows d_in"]
) -> float:
    """1 - var(x - x_hat) / var(x), each over all entries about one mean.

    What the investigation before this project reported. It is higher than `explained_variance`
    where the dimensions' means differ, and blind to a constant bias: for comparison only.

    Raises:
        ValueError: all entries of `x` are equal.
    """
    total = _variance(x.double()) if x.numel() else 0.0
    if total == 0:
        raise ValueError("the variance of equal entries is 0: explained_variance_seed is undefined")
    return 1 - _variance(x.double() - x_hat.double()) / total


def mse(x: Float[Tensor, "rows d_in"], x_hat: Float[Tensor, "rows d_in"]) -> float:
    """The mean squared error per entry, in the activations' units squared.

    Raises:
        ValueError: there are no entries.
    """
    if not x.numel():
        raise ValueError("no entries: the mean squared error is undefined")
    return _sum((x.double() - x_hat.double()).square()) / x.numel()


def mean_l0(z: Float[Tensor, "rows d_sae"]) -> float:
    """The mean number of active features per row (a count, not a share).

    Raises:
        ValueError: `z` has no rows, so the mean is undefined.
    """
    if not len(z):
        raise ValueError("no rows: the mean number of active features is undefined")
    return float((z != 0).sum(1).double().mean())


def frequency(z: Float[Tensor, "rows d_sae"]) -> Float[Tensor, " d_sae"]:
    """The share of rows on which each feature is active, float64.

    Raises:
        ValueError: `z` has no rows.
    """
    if not len(z):
        raise ValueError("no rows: the frequency of a feature is undefined")
    return (z != 0).sum(0).double() / len(z)


def n_dead(n_active: Int[Tensor, " d_sae"]) -> int:
    """The number of features that are active on none of the rows counted."""
    return int((n_active == 0).sum())


def _mean(x: Float[Tensor, "rows d_in"]) -> Float[Tensor, " d_in"]:
    return x.sum(0) / len(x)


def _sum(x: Float[Tensor, "rows d_in"]) -> float:
    """The sum over all entries, in an order that the number of threads does not change."""
    return float(x.sum(0).sum())


def _variance(x: Float[Tensor, "rows d_in"]) -> float:
    return _sum((x - _sum(x) / x.numel()).square()) / x.numel()
