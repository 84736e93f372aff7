"""Which edits a step makes: features by rank or number, pairs from labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice, zip_longest
from typing import Literal

import polars as pl

from studyrun import Artifact, StudyError
from studyrun_classify.kinds import is_labelled
from studyrun_intervene.params import EditPairs, FeatureChoice

__all__ = [
    "PairChoice",
    "auto_pairs",
    "chosen_features",
    "chosen_pairs",
    "label_pairs",
    "named_edits",
]

PAIRS = "swap_pairs"
"""The table of `labels` with the pairs whose swap can be tested, best first."""
NO_PAIRS = "no two features carry different labels of one kind"
CURE = "name pairs yourself (`pairs: [[3, 17]]`), or measure more problems"


@dataclass(frozen=True, slots=True)
class PairChoice:
    """The pairs that a step makes."""

    edits: list[tuple[int, ...]]
    reason: str = ""
    """Why there is none."""
    concepts: tuple[tuple[str | None, str | None], ...] = ()
    """For each, the concepts that its features stand for."""
    missing: tuple[tuple[str, str], ...] = ()
    """Pairs of concepts that no two features stand for."""


def chosen_features(
    features: pl.DataFrame, choice: FeatureChoice | Literal["all"]
) -> list[tuple[int, ...]]:
    """One edit per chosen feature, by rank, or per set; as given where given by number.

    Raises:
        StudyError: a feature or all ranks chosen are beyond those that there are.
    """
    edits = _chosen(features, choice)
    if choice != "all" and choice.together:
        return [tuple(dict.fromkeys(feature for edit in edits for feature in edit))]
    return edits


def _chosen(
    features: pl.DataFrame, choice: FeatureChoice | Literal["all"]
) -> list[tuple[int, ...]]:
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
    sets = choice.sets or [[feature] for feature in choice.ids or ()]
    return named_edits(features, sets)


def named_edits(features: pl.DataFrame, edits: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """The edits as given.

    Raises:
        StudyError: one names a feature that there is not.
    """
    unknown = sorted({feature for edit in edits for feature in edit} - set(features["feature"]))
    if unknown:
        raise StudyError(f"the SAE has no feature {unknown[0]}; it has 0..{len(features) - 1}")
    return [tuple(edit) for edit in edits]


def chosen_pairs(labels: Artifact | None, features: pl.DataFrame, params: EditPairs) -> PairChoice:
    """The pairs that the study names, or the best that its labels offer.

    Raises:
        StudyError: a feature or a concept is named that there is not.
    """
    if params.pairs == "auto":
        every = params.generate is not None
        return auto_pairs(labels, features, params.max_pairs, untestable=every)
    found = [(pair, [_feature(each, features) for each in pair]) for pair in params.pairs]
    edits = named_edits(features, [two for _, some in found if (two := _both(some))])
    said = [[each if isinstance(each, str) else None for each in pair] for pair, some in found
            if _both(some)]  # fmt: skip
    known = _concepts(features, edits)
    return PairChoice(
        edits,
        concepts=tuple((a or c, b or d) for (a, b), (c, d) in zip(said, known, strict=True)),
        missing=tuple((str(a), str(b)) for (a, b), some in found if not _both(some)),
    )


def _both(features: Sequence[int | None]) -> list[int]:
    """The two features; nothing where one is missing."""
    there = [each for each in features if each is not None]
    return there if len(there) == len(features) else []


def _feature(each: int | str, features: pl.DataFrame) -> int | None:
    """The feature of that number, or the most frequent one with a label of that concept."""
    if isinstance(each, int):
        return each
    labelled = features.filter(is_labelled() & (pl.col("concept") == each)).sort("rank")
    return None if labelled.is_empty() else int(labelled["feature"][0])


def _concepts(
    features: pl.DataFrame, edits: Sequence[tuple[int, ...]]
) -> tuple[tuple[str | None, str | None], ...]:
    known = features["concept"].to_list()
    return tuple((known[a], known[b]) for a, b in edits)


def auto_pairs(
    labels: Artifact | None, features: pl.DataFrame, most: int, *, untestable: bool = False
) -> PairChoice:
    """At most `most` pairs: the best that can be tested, where the labels say which these are.

    Labels without the table `swap_pairs` (a third party's, say) are paired by `label_pairs`.

    Args:
        labels: the artifact, if there is one.
        features: of `feature_table`.
        most: pairs at most.
        untestable: take also pairs that the study has too few problems for.
    """
    if labels is None or PAIRS not in labels.table_names:
        edits, why_none = label_pairs(features, most), NO_PAIRS
    else:
        table, said = labels.read_table(PAIRS), labels.meta[PAIRS]
        best = (table if untestable else table.filter("testable")).head(most)
        edits = list(best.select("feature_a", "feature_b").iter_rows())
        why_none = f"{NO_PAIRS} ({said})" if table.is_empty() else said
    reason = "" if edits else f"{why_none}; {CURE}"
    return PairChoice(edits, reason, _concepts(features, edits))


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
