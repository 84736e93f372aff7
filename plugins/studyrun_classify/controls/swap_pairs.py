"""Which swaps of two labelled features could be tested, and why the others could not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from studyrun_classify import columns
from studyrun_classify.controls.swap_power import LARGEST, moved_test_needs, moved_test_power
from studyrun_classify.kinds import is_labelled
from studyrun_classify.params import SwapTest
from studyrun_classify.statistics.incidence import Incidence

__all__ = ["SCHEMA", "SwapPairs", "swap_pairs"]

SCHEMA = columns.SWAP_PAIRS.schema()
COUNTED = pl.Schema({name: SCHEMA[name] for name in SCHEMA.names()[:9]})
"""The columns before anything is said of them."""
LISTED = 200
"""Pairs in the table."""
CANDIDATES = 500
"""Features of one kind of which pairs are made: of every label the most frequent, then of every
label the next, and so on."""

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SwapPairs:
    """The candidates, best first, and what there is to say of them."""

    table: pl.DataFrame
    """At most `LISTED` rows of `SCHEMA`."""
    summary: str
    """One sentence: how many there are, or why there is none."""


def swap_pairs(labels: pl.DataFrame, incidence: Incidence, test: SwapTest) -> SwapPairs:
    """Pairs of labelled features of one kind with different labels.

    A problem has a direction where at least one of the two features is active and exactly one of
    their concepts holds: `n_testable` counts these. `testable` says whether there are `n_needed` of
    them, and `reason` why not.

    Testable pairs come first. The best pair of every two labels comes before the second of any;
    within that, more testable problems are better, then the smaller numbers of features.

    Args:
        labels: of the features, rank 1 first.
        incidence: of the labelled problems.
        test: when a pair is testable.
    """
    named = labels.filter(is_labelled())
    needed = moved_test_needs(test)
    parts = [_of_kind(part, incidence) for part in named.partition_by("kind", maintain_order=True)]
    every = _judged(pl.concat([COUNTED.to_frame(), *parts]), test, needed)
    ordered = _best_first(every)
    said = _why_none(named) if every.is_empty() else _summary(every, needed)
    return SwapPairs(ordered.head(LISTED), said)


def _of_kind(labels: pl.DataFrame, incidence: Incidence) -> pl.DataFrame:
    """The pairs of one kind, counted; `n_testable` is null where a label has no known concept."""
    some = labels.with_columns(place=pl.int_range(pl.len()).over("label"))
    some = some.sort("place", maintain_order=True).head(CANDIDATES).sort("rank")
    label, feature = some["label"].to_numpy(), some["feature"].to_numpy()
    a, b = np.triu_indices(some.height, k=1)
    differ = label[a] != label[b]
    a, b = a[differ], b[differ]
    counts = _counts(some, incidence)
    frame = pl.DataFrame({
        "feature_a": feature[a], "feature_b": feature[b],
        "label_a": label[a], "label_b": label[b],
        "n_a": counts.active[a], "n_b": counts.active[b],
        "n_both": counts.both[a, b],
        "n_testable": pl.Series(counts.testable[a, b], dtype=pl.Int64),
        "known": counts.known[a] & counts.known[b],
    })  # fmt: skip
    return frame.select(
        "feature_a", "feature_b", pl.lit(labels["kind"][0]).alias("kind"),
        "label_a", "label_b", "n_a", "n_b", "n_both",
        pl.when("known").then("n_testable").alias("n_testable"),
    ).cast(COUNTED)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    active: Counts
    """(features,) problems on which it is active."""
    both: Counts
    """(features, features) problems on which both are."""
    testable: Counts
    """(features, features) problems on which one of the two is active and one concept holds."""
    known: NDArray[np.bool_]
    """(features,) whether its concept is one of the study's."""


def _counts(labels: pl.DataFrame, incidence: Incidence) -> _Counts:
    """Counts of all pairs at once.

    With A the activity, C whether the feature's own concept holds and U = A C, the sum over
    problems of (A_a or A_b)(C_a xor C_b) = (A_a + A_b - A_a A_b)(C_a + C_b - 2 C_a C_b) is a sum of
    products of matrices, none of which is problems times pairs.
    """
    A, own, known = _activity(labels, incidence)
    H = incidence.holds.astype(np.float64)
    row = np.repeat(np.arange(len(own)), np.diff(A.indptr))
    U = csr_array((A.data * H[A.indices, own[row]], A.indices, A.indptr), A.shape)
    with_other, with_both = (A @ H)[:, own], (U @ H)[:, own]
    active_too, all_four = (U @ A.T).toarray(), (U @ U.T).toarray()
    alone = U.sum(axis=1)
    one_sided = with_other - 2 * with_both - active_too
    testable = alone[:, None] + alone[None, :] + one_sided + one_sided.T + 2 * all_four
    both = (A @ A.T).toarray()
    return _Counts(_whole(A.sum(axis=1)), _whole(both), _whole(testable), known)


def _activity(
    labels: pl.DataFrame, incidence: Incidence
) -> tuple[csr_array, NDArray[np.intp], NDArray[np.bool_]]:
    """(features, problems) 1 where active; each one's concept, 0 where it is not known; is it?"""
    place = {feature: i for i, feature in enumerate(incidence.features.tolist())}
    rows = [place[feature] for feature in labels["feature"]]
    column = {concept.name: i for i, concept in enumerate(incidence.concepts)}
    found = [column.get(concept) for concept in labels["concept"]]
    own = np.array([each or 0 for each in found], dtype=np.intp)
    known = np.array([each is not None for each in found], dtype=np.bool_)
    return incidence.active[rows], own, known


def _whole(values: Floats) -> Counts:
    return np.rint(values).astype(np.int64)


def _judged(pairs: pl.DataFrame, test: SwapTest, needed: int | None) -> pl.DataFrame:
    n = pairs["n_testable"].fill_null(0).cast(pl.Float64).to_numpy()
    sizes, which = np.unique(n, return_inverse=True)
    power = pl.Series("power", moved_test_power(sizes, test)[which], dtype=pl.Float64)
    known = pl.col("n_testable").is_not_null()
    enough = known & (pl.col("n_testable") >= pl.lit(needed)).fill_null(value=False)
    judged = pairs.with_columns(power).with_columns(
        power=pl.when(known).then("power"),
        n_needed=pl.lit(needed, pl.UInt32),
        testable=enough,
        reason=pl.when(~enough).then(_reason(needed)),
    )
    return judged.select(SCHEMA.names())


def _reason(needed: int | None) -> pl.Expr:
    few = pl.format(
        "the swap has a direction on {} problems, and {} are needed",
        "n_testable",
        pl.lit(f"more than {LARGEST:,}" if needed is None else str(needed)),
    )
    return (
        pl.when(pl.col("n_testable").is_null())
        .then(pl.lit("the label names no concept of the study, so no problem has a direction"))
        .when(pl.col("n_testable") == 0)
        .then(pl.lit("where one of the two is active, both of their concepts hold or neither does"))
        .otherwise(few)
    )


def _best_first(pairs: pl.DataFrame) -> pl.DataFrame:
    """Testable first; every two labels take turns."""
    order = ["feature_a", "feature_b"]
    ends = (pl.min_horizontal("label_a", "label_b"), pl.max_horizontal("label_a", "label_b"))
    by_size = pairs.sort(
        "n_testable", *order, descending=[True, False, False], nulls_last=True
    ).with_columns(turn=pl.int_range(pl.len()).over("kind", *ends))
    by_turn = by_size.sort(
        "testable", "turn", "n_testable", *order,
        descending=[True, False, True, False, False], nulls_last=True,
    )  # fmt: skip
    return by_turn.drop("turn")


def _summary(pairs: pl.DataFrame, needed: int | None) -> str:
    testable = int(pairs["testable"].sum())
    said = f"{testable} of {pairs.height} pairs of labelled features can be tested"
    if testable or needed is None:
        return said
    most = cast("int | None", pairs["n_testable"].max()) or 0
    return f"{said}: it takes {needed} problems with a direction, and no pair has more than {most}"


def _why_none(named: pl.DataFrame) -> str:
    """Why no two labelled features are of one kind with different labels."""
    if named.is_empty():
        return "no feature is labelled: a swap needs two different labels of one kind"
    counts = Counter(named["label"])
    said = " and ".join(f"{n} `{label}`" for label, n in counts.most_common())
    many = "1 feature is" if named.height == 1 else f"{named.height} features are"
    if len(counts) == 1:
        (label,) = counts
        said = f"`{label}`" if named.height == 1 else f"all `{label}`"
    return f"{many} labelled, {said}: a swap needs two different labels of one kind"
