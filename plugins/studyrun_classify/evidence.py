"""Evidence for classifiers: the problems of a split, what is active there, which concepts hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl

from studyrun import Artifact, Concept, Evidence, StudyError
from studyrun_classify.features import ranked

__all__ = ["evidence_of", "holds", "labelled_problems", "labelling_concepts", "membership"]


def evidence_of(
    problems: pl.DataFrame, acts: Artifact, concepts: Sequence[Concept], seed: int
) -> Evidence:
    """What a classifier is given.

    Args:
        problems: those of the labelled split, with their number `problem`.
        acts: the `feature-acts` artifact.
        concepts: all that are to be tested.
        seed: the study's.
    """
    active = acts.table.filter(pl.col("activation") != 0)
    active = active.join(problems.select("problem"), on="problem", how="semi")
    active = active.sort("problem", "feature")
    return Evidence(
        problems=problems,
        activations=active.select("problem", "feature", "activation"),
        features=ranked(active, acts.meta["d_sae"], problems.height),
        concepts=tuple(concepts),
        membership=membership(problems, concepts),
        seed=seed,
    )


def labelled_problems(problems: pl.DataFrame, rows: pl.DataFrame, split: str) -> pl.DataFrame:
    """The encoded problems of the split with their number `problem`, in order.

    Raises:
        StudyError: there is none.
    """
    wanted = rows if split == "all" else rows.filter(pl.col("split") == split)
    if wanted.is_empty():
        known = ", ".join(rows["split"].unique().sort()) or "none"
        raise StudyError(f"no problem of split {split!r} was encoded; splits encoded: {known}")
    numbered = problems.with_row_index("problem")
    return numbered.join(wanted.select("problem"), on="problem", how="semi", maintain_order="left")


def membership(problems: pl.DataFrame, concepts: Sequence[Concept]) -> pl.DataFrame:
    """(problem, concept): the pairs that hold; `concept` is an index into `concepts`.

    A concept of which a problem says neither yes nor no (null) does not hold there.

    Raises:
        StudyError: two concepts have one name, or one is no yes/no property of these problems.
    """
    twice = [name for name, n in Counter(c.name for c in concepts).items() if n > 1]
    if twice:
        raise StudyError(f"more than one concept is called {', '.join(map(repr, twice))}")
    numbers = problems["problem"]
    held = [
        pl.DataFrame({"problem": numbers.filter(holds(problems, concept))}).with_columns(
            concept=pl.lit(index, pl.UInt32)
        )
        for index, concept in enumerate(concepts)
    ]
    empty = pl.DataFrame(schema={"problem": numbers.dtype, "concept": pl.UInt32})
    return pl.concat([empty, *held])


def labelling_concepts(evidence: Evidence, labels: pl.DataFrame) -> pl.DataFrame:
    """(problem, concept): the problems for which a concept holds that is some feature's label."""
    names = pl.DataFrame(
        {"concept": range(len(evidence.concepts)), "name": [c.name for c in evidence.concepts]},
        {"concept": pl.UInt32, "name": pl.String},
    )
    used = names.filter(pl.col("name").is_in(labels["concept"].drop_nulls().implode()))
    pairs = evidence.membership.join(used, on="concept").sort("concept", "problem")
    return pairs.select(pl.col("problem").cast(pl.UInt32), concept="name")


def holds(problems: pl.DataFrame, concept: Concept) -> pl.Series:
    """For each problem whether the concept holds; where it says neither yes nor no, it does not.

    Raises:
        StudyError: it is no yes/no property of these problems.
    """
    try:
        values = problems.select(concept.expr).to_series()
    except pl.exceptions.PolarsError as error:
        raise StudyError(f"concept {concept.name!r} cannot be computed: {error}") from error
    if values.dtype != pl.Boolean or len(values) != problems.height:
        raise StudyError(
            f"concept {concept.name!r} must give true or false for each of {problems.height} "
            f"problems; it gave {len(values)} of type {values.dtype}"
        )
    return values.fill_null(value=False)
