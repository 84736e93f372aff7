"""Controls: the same evidence with what could be found in it taken out; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun import Evidence

__all__ = ["control_runs", "matched", "permuted"]

Places = NDArray[np.intp]


def control_runs(
    evidence: Evidence, stratum: Places, permutations: int, matches: int
) -> Iterator[tuple[str, Evidence]]:
    """(name of the control, its evidence), one after the other; the same for the same seed.

    Args:
        evidence: the real one.
        stratum: (problems,) which problems are alike.
        permutations: how often with the concepts exchanged.
        matches: how often with the features moved.
    """
    for run in range(permutations):
        yield (
            "permuted",
            permuted(evidence, stratum, np.random.default_rng([evidence.seed, 1, run])),
        )
    for run in range(matches):
        yield "matched", matched(evidence, np.random.default_rng([evidence.seed, 2, run]))


def permuted(evidence: Evidence, stratum: Places, rng: np.random.Generator) -> Evidence:
    """Every problem with the concepts of a random problem of its stratum.

    All concepts of a problem move together, so how often each holds in every stratum, and which
    go together, stays as it was; so does everything about the features. Concepts that the stratum
    decides (`3 steps` among problems of equal length) would not move: those are taken, together,
    from a random problem of any stratum.
    """
    decided = pl.Series(_decided(evidence, stratum), dtype=pl.UInt32)
    numbers = evidence.problems["problem"]
    moved = pl.DataFrame(
        {
            "problem": numbers,
            "alike": numbers.gather(_shuffled_within(stratum, rng)),
            "any": numbers.gather(rng.permutation(len(numbers))),
        }
    )
    held = evidence.membership.join(moved, on="problem", maintain_order="left")
    free = pl.col("concept").is_in(decided.implode())
    to = held.select("concept", problem=pl.when(free).then("any").otherwise("alike"))
    return replace(evidence, membership=to.sort("concept", "problem").select("problem", "concept"))


def _decided(evidence: Evidence, stratum: Places) -> list[int]:
    """The concepts that hold, in every stratum, in all problems or in none."""
    alike = pl.DataFrame({"problem": evidence.problems["problem"], "stratum": stratum})
    sizes = alike.group_by("stratum").len("size")
    held = evidence.membership.join(alike, on="problem").group_by("concept", "stratum").len("with")
    whole = (pl.col("with") == pl.col("size")).all()
    decided = held.join(sizes, on="stratum").group_by("concept").agg(whole.alias("whole"))
    return decided.filter("whole")["concept"].sort().to_list()


def matched(evidence: Evidence, rng: np.random.Generator) -> Evidence:
    """Every feature's activations on random problems, each of its own feature.

    A feature keeps its frequency and all its values; what it has in common with concepts and with
    other features is gone.
    """
    numbers = evidence.problems["problem"]
    sizes = evidence.activations.group_by("feature").len().sort("feature")
    drawn = [rng.choice(len(numbers), n, replace=False) for n in sizes["len"]]
    places = np.concatenate([np.zeros(0, dtype=np.intp), *drawn])
    pairs = evidence.activations.sort("feature", "problem")
    activations = pairs.with_columns(problem=numbers.gather(places)).sort("problem", "feature")
    return replace(evidence, activations=activations)


def _shuffled_within(stratum: Places, rng: np.random.Generator) -> Places:
    """For each place a place of the same stratum, each once."""
    shuffled = np.empty_like(stratum)
    random = rng.random(len(stratum))
    shuffled[np.argsort(stratum, kind="stable")] = np.lexsort((random, stratum))
    return shuffled
