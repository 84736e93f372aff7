"""Which edits a step makes: features by rank or number, pairs from labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, combinations, islice, zip_longest
from typing import Literal

import polars as pl

from studyrun import StudyError
from studyrun_intervene.params import FeatureChoice

__all__ = ["chosen_features", "label_pairs", "named_edits"]

UNSPECIFIC = ("general", "insufficient")
"""Kinds of label that say nothing of what a feature stands for."""


def chosen_features(
    features: pl.DataFrame, choice: FeatureChoice | Literal["all"]
) -> list[tuple[int, ...]]:
    """One edit per chosen feature, by rank; as given where they are given by number.

    Raises:
        StudyError: a feature or all ranks chosen are beyond those that there are.
    """
    ranked = features.sort("rank")
    if choice == "all":
        return _edits(ranked)
    if choice.top is not None:
        return _edits(ranked.head(choice.top))
    if choice.ranks is not None:
        within = ranked.filter(pl.any_horizontal(*map(_within, choice.ranks)))
        if within.is_empty():
            raise StudyError(f"no feature has a rank in {choice.ranks}; the last is {len(ranked)}")
        return _edits(within)
    return named_edits(features, [[feature] for feature in choice.ids or ()])


def named_edits(features: pl.DataFrame, edits: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """The edits as given.

    Raises:
        StudyError: one names a feature that there is not.
    """
    unknown = sorted({feature for edit in edits for feature in edit} - set(features["feature"]))
    if unknown:
        raise StudyError(f"the SAE has no feature {unknown[0]}; it has 0..{len(features) - 1}")
    return [tuple(edit) for edit in edits]


def label_pairs(features: pl.DataFrame, most: int) -> list[tuple[int, ...]]:
    """At most `most` pairs of features whose labels are of one kind and differ.

    Of each label the most frequent feature stands for it; pairs of frequent features come first,
    and the kinds take turns.
    """
    specific = features.filter(
        pl.col("kind").is_not_null() & ~pl.col("kind").is_in(UNSPECIFIC)
    ).sort("rank")
    first = specific.unique("label", keep="first", maintain_order=True)
    kinds = [part for _, part in first.group_by("kind", maintain_order=True)]
    turns = zip_longest(*(_by_rank(part) for part in kinds))
    return list(islice((pair for pair in chain.from_iterable(turns) if pair), most))


def _by_rank(part: pl.DataFrame) -> Iterator[tuple[int, ...]]:
    """All pairs of a kind, smallest sum of ranks first."""
    rank = dict(zip(part["feature"], part["rank"], strict=True))
    pairs = combinations(part["feature"], 2)
    yield from sorted(pairs, key=lambda pair: (rank[pair[0]] + rank[pair[1]], rank[pair[0]]))


def _within(text: str) -> pl.Expr:
    first, last = map(int, text.split("-"))
    return pl.col("rank").is_between(first, last)


def _edits(features: pl.DataFrame) -> list[tuple[int, ...]]:
    return [(feature,) for feature in features["feature"]]
