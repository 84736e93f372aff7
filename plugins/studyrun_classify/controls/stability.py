"""Which features come again when the SAE is trained with another seed, and with what label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun_classify import columns

__all__ = ["SCHEMA", "Matches", "best_matches", "matches", "stability"]

SCHEMA = columns.MATCHES.schema()
Floats = NDArray[np.floating]

ROWS = 2048
"""Features compared at a time: with 65,536 on the other side, half a GiB."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The best match of every feature."""

    feature: NDArray[np.intp]
    """(features,) its number in the other SAE."""
    cosine: Floats
    """(features,) of the two directions; NaN where there is none, because one is 0 long."""


def best_matches(W_dec: Floats, other: Floats, *, signed: bool = False) -> Matches:
    """For every feature the one of another SAE with the largest cosine of decoder rows.

        match(f) = argmax_g cos(W_dec[f], other[g])

    The best match and not a one-to-one assignment: two features may split what is one in the other
    SAE, and an assignment would force what is left over into pairs that mean nothing. No assignment
    gives a feature a larger cosine.

    Source: the maximum cosine similarity of Sharkey, Braun and Millidge 2022, "Taking features out
    of superposition with sparse autoencoders"; one-to-one with the Hungarian algorithm: Paulo and
    Belrose 2025, "Sparse autoencoders trained on the same data learn different features".

    Args:
        W_dec: (features, d_in) the study's directions.
        other: (others, d_in) those of the other SAE, at least one.
        signed: whether activations may be negative, so that a direction and its opposite are the
            same feature; |cosine| is compared then.
    """
    theirs = _unit(other).T
    feature = np.zeros(len(W_dec), dtype=np.intp)
    cosine = np.zeros(len(W_dec))
    for first in range(0, len(W_dec), ROWS):
        rows = slice(first, first + ROWS)
        cosines = _unit(W_dec[rows]) @ theirs
        cosines = np.nan_to_num(np.abs(cosines) if signed else cosines, nan=-np.inf)
        feature[rows] = cosines.argmax(axis=1)
        cosine[rows] = cosines.max(axis=1)
    return Matches(feature, np.where(np.isfinite(cosine), np.clip(cosine, -1, 1), np.nan))


def _unit(W: Floats) -> Floats:
    """Rows of length 1; NaN where the length is 0."""
    length = np.linalg.norm(W, axis=1, keepdims=True)
    return W / np.where(length > 0, length, np.nan)


def matches(
    variant: str, found: Matches, labels: pl.DataFrame, other_labels: pl.DataFrame
) -> pl.DataFrame:
    """The table `SCHEMA` for one other SAE, in the order of `labels`.

    `same` says whether both features carry the same label; `expected` how often a random feature
    of the other SAE carries it, which is what `same` would be by chance.

    Args:
        variant: the name of the other SAE.
        found: the best match of every feature, in the order of their numbers.
        labels: the study's, with `feature` and `label`.
        other_labels: of the other SAE, by the same procedure.
    """
    cosine = pl.Series(found.cosine, nan_to_null=True, dtype=pl.Float64)
    nearest = pl.DataFrame(
        {"feature": np.arange(len(cosine)), "match": found.feature, "cosine": cosine}
    ).cast({"feature": pl.UInt32, "match": pl.UInt32})
    nearest = nearest.with_columns(match=pl.when(pl.col("cosine").is_not_null()).then("match"))
    shares = other_labels.group_by("label").agg(expected=pl.len() / other_labels.height)
    theirs = other_labels.select(match="feature", match_label="label")
    table = labels.select("feature", "label")
    for more, key in ((nearest, "feature"), (theirs, "match"), (shares, "label")):
        table = table.join(more, on=key, how="left", maintain_order="left")
    return table.select(
        "feature",
        pl.lit(variant).alias("variant"),
        "match",
        "cosine",
        "label",
        "match_label",
        (pl.col("label") == pl.col("match_label")).alias("same"),
        pl.col("expected").fill_null(0.0),
    )


def stability(table: pl.DataFrame) -> pl.DataFrame:
    """(feature, stability, match_cosine): over the other SAEs, share of `same` and mean cosine.

    Args:
        table: `SCHEMA`, of one or more other SAEs.
    """
    return table.group_by("feature", maintain_order=True).agg(
        stability=pl.col("same").mean(), match_cosine=pl.col("cosine").mean()
    )
