"""How strongly features are active: their quantiles and histograms; pure functions."""

from __future__ import annotations

import numpy as np
import polars as pl

from studyrun_features.active import ActivePairs, Floats, Places
from studyrun_features.columns import ACTIVATIONS, HISTOGRAM

__all__ = ["all_activations", "histograms", "strengths"]

QUANTILES = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "max": 1.0}
DECADES = 50
"""Bins of the histogram of all activations."""
WIDEST = 1e-6
"""Of the largest |activation|: what is smaller is counted in the first bin."""


def strengths(active: ActivePairs, n_total: int) -> pl.DataFrame:
    """The columns of `PORTRAITS` up to `max`, every feature.

    Quantiles interpolate linearly between the two nearest activations, as NumPy's do.
    """
    n = active.n_active
    total = np.bincount(active.feature, weights=active.value, minlength=len(n))
    nothing = np.full(len(n), np.nan)
    frame = pl.DataFrame(
        {
            "feature": np.arange(len(n), dtype=np.uint32),
            "n_active": n.astype(np.uint32),
            "n_total": np.full(len(n), n_total, dtype=np.uint32),
            "frequency": n / n_total if n_total else nothing,
            "mean_active": np.divide(total, n, out=nothing.copy(), where=n > 0),
            **{name: _quantile(active, share) for name, share in QUANTILES.items()},
        }
    )
    return frame.fill_nan(None)


def _quantile(active: ActivePairs, share: float) -> Floats:
    """(features,) of each feature's activations; NaN where there is none."""
    found, ever = np.full(len(active.n_active), np.nan), active.ever
    place = share * (active.n_active[ever] - 1)
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, active.n_active[ever] - 1)
    low, high = (active.value[active.starts[ever] + each] for each in (below, above))
    found[ever] = low + (high - low) * (place - below)
    return found


def histograms(active: ActivePairs, bins: int) -> pl.DataFrame:
    """`HISTOGRAM`: equal bins over each feature's own activations.

    Bins hold low <= activation < high, the last one its end too. A feature that is never active has
    none, and one whose activations are all equal has a single bin of no width.
    """
    ever = active.ever
    low, high = (active.value[place[ever]] for place in (active.starts, _ends(active)))
    n_bins = np.where(low < high, bins, 1)
    first = np.cumsum(n_bins) - n_bins
    row = np.repeat(np.arange(len(ever)), n_bins)
    number = np.arange(len(row)) - first[row]
    width = (high - low)[row]
    begins, ends = (low[row] + width * (number + more) / n_bins[row] for more in (0, 1))
    is_last = number == n_bins[row] - 1
    ends = np.where(is_last, high[row], ends)
    of = np.repeat(np.arange(len(ever)), active.n_active[ever])
    place = first[of] + _about(active.value, low[of], high[of], n_bins[of])
    place -= active.value < begins[place]
    place += (active.value >= ends[place]) & ~is_last[place]
    counted = {"feature": ever[row], "bin": number, "low": begins, "high": ends}
    counted["n"] = np.bincount(place, minlength=len(row))
    return pl.DataFrame(counted).cast(HISTOGRAM.schema())


def _ends(active: ActivePairs) -> Places:
    """(features,) where the largest of each feature stands."""
    return active.starts + active.n_active - 1


def _about(value: Floats, low: Floats, high: Floats, n_bins: Places) -> Places:
    """Which bin, but for rounding at its ends."""
    width = np.where(low < high, high - low, 1)
    number = ((value - low) / width * n_bins).astype(np.intp)
    return np.clip(number, 0, n_bins - 1)


def all_activations(active: ActivePairs) -> pl.DataFrame:
    """`ACTIVATIONS`: bins of |activation| over all features, equal on a logarithmic scale.

    From the smallest to the largest; what is below a millionth of the largest is in the first bin.
    """
    schema = ACTIVATIONS.schema()
    if not len(active):
        return schema.to_frame()
    size = np.abs(active.value)
    least, largest = float(size.min()), float(size.max())
    edges = np.geomspace(max(least, largest * WIDEST), largest, DECADES + 1)
    edges[0], edges[-1] = least, largest
    if least == largest:
        edges = np.array([least, largest])
    inner = edges[1:-1]
    bins = np.searchsorted(inner, size, side="right")
    counts = [np.bincount(b, minlength=len(inner) + 1) for b in (bins, bins[active.value < 0])]
    told = {"low": edges[:-1], "high": edges[1:], "n": counts[0], "n_negative": counts[1]}
    return pl.DataFrame(told).cast(schema)
