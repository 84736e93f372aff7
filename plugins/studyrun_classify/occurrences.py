"""In which steps of a problem a concept occurs: in those that decide that the problem has it.

A run of consecutive steps decides a concept where the problem has it whatever its other steps are
exchanged for. `* then +` is decided by the steps of the two operations, `first is *` by the first
step, `only *` by all of them together, `3 steps` and `answer 12` by none: with every step
exchanged the problem still has them. So nothing needs to be known of a concept but its expression.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun import Concept, Evidence
from studyrun_classify.columns import OCCURRENCES
from studyrun_classify.evidence import holds

__all__ = ["SCHEMA", "marked", "occurrences", "others"]

SCHEMA = OCCURRENCES.schema()
RUNS = pl.Schema(
    {"problem": pl.UInt32, "concept": pl.String, "start": pl.Int64, "length": pl.Int64}
)
OTHERS = 6
"""Steps at most that the others are exchanged for, one after the other."""
CANDIDATES = 512
"""Steps among which these are looked for."""
LONGEST = 8
"""Steps of a run; where none of so many decides, all steps do."""
MOST = 32
"""Steps of a problem; one that has more is not looked into, for the time it would take."""
AT_ONCE = 2_000
"""Problems, so that memory does not grow with the data set."""


def occurrences(evidence: Evidence, held: pl.DataFrame) -> pl.DataFrame:
    """(problem, concept, steps): the places, from 0, of the steps in which the concept occurs.

    None where no step decides it, where its expression does not read the column `steps`, and where
    the problems have no such column.

    Args:
        evidence: the problems, and the concepts with their expressions.
        held: (problem, concept), the concept by name: the pairs that are asked for, which hold.
    """
    asked, found = set(held["concept"].unique()), SCHEMA.to_frame()
    reading = [c for c in evidence.concepts if "steps" in c.expr.meta.root_names()]
    concepts = [c for c in reading if c.name in asked]
    if concepts and isinstance(evidence.problems.schema.get("steps"), pl.List):
        found = marked(evidence.problems, concepts, others(evidence.problems, reading))
    every = held.join(found, on=["problem", "concept"], how="left", maintain_order="left")
    return every.with_columns(pl.col("steps").fill_null([])).select(*SCHEMA)


def marked(problems: pl.DataFrame, concepts: Sequence[Concept], others: pl.Series) -> pl.DataFrame:
    """(problem, concept, steps): those in the shortest deciding runs, for all that hold.

    Args:
        problems: with their number `problem` and a list of `steps`.
        concepts: whose expressions say of each problem by itself.
        others: the steps that a problem's steps are exchanged for.
    """
    n = pl.col("steps").list.len().fill_null(0).cast(pl.Int64)
    read = {"problem", "steps"}.union(*(each.expr.meta.root_names() for each in concepts))
    few = problems.select(*read, _n=n).filter(pl.col("_n") <= MOST)
    found = [
        runs for some in few.iter_slices(AT_ONCE) for runs in _deciding(some, concepts, others)
    ]
    places = pl.int_ranges("start", pl.col("start") + pl.col("length"), dtype=pl.UInt32)
    steps = pl.concat([RUNS.to_frame(), *found]).with_columns(steps=places).explode("steps")
    each = steps.unique(["problem", "concept", "steps"]).sort("problem", "concept", "steps")
    grouped = each.group_by("problem", "concept", maintain_order=True)
    return grouped.agg(pl.col("steps").drop_nulls())


def _deciding(
    problems: pl.DataFrame, concepts: Sequence[Concept], others: pl.Series
) -> Iterator[pl.DataFrame]:
    """(problem, concept, start, length): the shortest deciding runs, or the whole problem."""
    n = problems["_n"].to_numpy()
    undecided = np.stack([holds(problems, each).to_numpy() for each in concepts], axis=1)
    for length in range(LONGEST + 1):
        row, start = _runs(np.where(undecided.any(axis=1), n, 0), length)
        decides = undecided[row]
        for exchanged in _exchanged(problems[row], start, length, others):
            if not decides.any():
                break
            for asked, concept in zip(decides.T, concepts, strict=True):
                if asked.any():
                    asked[asked] = holds(exchanged.filter(pl.Series(asked)), concept).to_numpy()
        run, concept_of = np.nonzero(decides)
        yield _named(problems, concepts, row[run], concept_of, start[run], length)
        undecided[row[run], concept_of] = False
    row, concept_of = np.nonzero(undecided)
    yield _named(problems, concepts, row, concept_of, np.zeros_like(row), n[row])


def _runs(n: NDArray[np.int64], length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The row and the start of each run of so many of n steps, but not all; one run of none."""
    count = np.where(n > length, n - length + 1 if length else 1, 0)
    first = np.repeat(np.cumsum(count) - count, count)
    return np.repeat(np.arange(len(n)), count), np.arange(count.sum()) - first


def _exchanged(
    problems: pl.DataFrame, start: NDArray[np.int64], length: int, others: pl.Series
) -> Iterator[pl.DataFrame]:
    """For each other step the problems with it in place of all steps that are not in the run."""
    pool = pl.DataFrame({"_others": [others]}, {"_others": pl.List(others.dtype)})
    runs = problems.with_columns(_start=pl.Series(start)).join(pool, how="cross")
    runs = runs.with_columns(_pool=pl.concat_list("_others", "steps")).drop("_others", "steps")
    first = len(others) + pl.col("_start")
    for other in range(len(others)):
        filler = pl.lit(other, pl.Int64)
        places = pl.concat_list(
            filler.repeat_by("_start"),
            pl.int_ranges(first, first + length),
            filler.repeat_by(pl.col("_n") - length - pl.col("_start")),
        )
        steps = pl.col("_pool").list.gather(places)
        yield runs.select(pl.exclude("problem", "_start", "_pool", "_n"), steps=steps)


def _named(
    problems: pl.DataFrame,
    concepts: Sequence[Concept],
    row: NDArray[np.int64],
    concept: NDArray[np.int64],
    start: NDArray[np.int64],
    length: int | NDArray[np.int64],
) -> pl.DataFrame:
    names = pl.Series([each.name for each in concepts], dtype=pl.String)
    return pl.DataFrame(
        {
            "problem": problems["problem"].gather(row),
            "concept": names.gather(concept),
            "start": start,
            "length": np.broadcast_to(length, start.shape),
        },
        RUNS,
    )


def others(problems: pl.DataFrame, concepts: Sequence[Concept]) -> pl.Series:
    """Steps of these problems that differ in the concepts that they show, at most 6.

    Of any two concepts there is one that shows neither, as far as there are such steps. The rest
    are of all sorts.

    Args:
        problems: in any order, with their `id`.
        concepts: those in which the steps shall differ.
    """
    steps = _candidates(problems)
    twice = steps.to_frame("step").select(steps=pl.concat_list("step", "step"))
    problem = problems.sort("id").head(1).drop("steps").join(twice, how="cross")
    shown = np.stack([holds(problem, each).to_numpy() for each in concepts], axis=1)
    chosen = _lacking(~shown)
    even = np.linspace(0, len(steps) - 1, min(OTHERS, len(steps))).astype(int)
    return steps.gather(list(dict.fromkeys([*chosen, *even]))[:OTHERS])


def _candidates(problems: pl.DataFrame) -> pl.Series:
    """Different steps, in an order that is theirs and not the problems', from all over it."""
    steps = problems.select(step=pl.col("steps").explode()).drop_nulls()
    text = steps.select(pl.struct("step").struct.json_encode()).to_series()
    each = steps.with_columns(text=text).unique("text").sort("text")["step"]
    return each.gather_every(max(1, -(-len(each) // CANDIDATES)))


def _lacking(absent: NDArray[np.bool_]) -> list[int]:
    """Few rows of (steps, concepts): of any two concepts both are absent from one of them."""
    lacks = absent.astype(np.float64)
    missing = np.ones((absent.shape[1], absent.shape[1]))
    chosen: list[int] = []
    for _ in range(OTHERS):
        gain = ((lacks @ missing) * lacks).sum(axis=1)
        if not gain.any():
            break
        chosen.append(int(gain.argmax()))
        missing *= 1 - np.outer(lacks[chosen[-1]], lacks[chosen[-1]])
    return chosen
