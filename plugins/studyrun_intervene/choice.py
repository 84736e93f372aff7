"""Which edits a step makes: features by rank or number, pairs from labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice, zip_longest
from typing import Literal

import polars as pl

from studyrun import Artifact, StudyError
from studyrun_classify.kinds import is_labelled
from studyrun_intervene.params import FeatureChoice

__all__ = ["PairChoice", "auto_pairs", "chosen_features", "label_pairs", "named_edits"]

PAIRS = "swap_pairs"
"""The table of `labels` with the pairs whose swap can be tested, best first."""
NO_PAIRS = "no two features carry different labels of one kind"
CURE = "name pairs yourself (`pairs: [[3, 17]]`), or measure more problems"


@dataclass(frozen=True, slots=True)
class PairChoice:
    """The pairs that `pairs: auto` makes."""

    edits: list[tuple[int, ...]]
    reason: str = ""
    """Why there is none."""


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


def auto_pairs(labels: Artifact | None, features: pl.DataFrame, most: int) -> PairChoice:
    """At most `most` pairs: the best that can be tested, where the labels say which these are.

    Labels without the table `swap_pairs` (a third party's, say) are paired by `label_pairs`.
    """
    if labels is None or PAIRS not in labels.table_names:
        edits, why_none = label_pairs(features, most), NO_PAIRS
    else:
        table, said = labels.read_table(PAIRS), labels.meta[PAIRS]
        best = table.filter("testable").head(most)
        edits = list(best.select("feature_a", "feature_b").iter_rows())
        why_none = f"{NO_PAIRS} ({said})" if table.is_empty() else said
    return PairChoice(edits, "" if edits else f"{why_none}; {CURE}")


def label_pairs(features: pl.DataFrame, most: int) -> list[tuple[int, ...]]:
    """At most `most` pairs of features whose labels are of one kind and differ.

    Of each label the most frequent feature stands for it; pairs of frequent features come first,
    and the kinds take turns.
    """
    specific = features.filter(is_labelled()).sort("rank")
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
