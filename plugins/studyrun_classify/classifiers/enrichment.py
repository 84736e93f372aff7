"""The classifier `enrichment`: found on one half of the problems, confirmed on the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun import Classification, Evidence
from studyrun_classify import columns
from studyrun_classify.classifiers.verdicts import LABELS, labels, untested
from studyrun_classify.params import EnrichmentParams
from studyrun_classify.statistics.association import adjusted, level_of, verdict
from studyrun_classify.statistics.blocks import Block, Blocks
from studyrun_classify.statistics.cells import Side
from studyrun_classify.statistics.discovery import Direction, direction, may_matter
from studyrun_classify.statistics.effects import effect, floor, needs
from studyrun_classify.statistics.stratified import lower_bound
from studyrun_classify.statistics.tests import Claims, Places, Tests, nullable

__all__ = ["ASSOCIATIONS", "classify"]

Floats = NDArray[np.float64]

ASSOCIATIONS = columns.ASSOCIATIONS.schema()
"""The table of associations. On all problems: counts, `p` to `n_needed` as `associate` gives them
(for the `test` magnitude `p`, `log_odds` = log(auroc / (1 - auroc)) of the rank test); `_alike`
among problems alike in `strata`; `_parts` also among those in which all parts of the concept hold;
`_claim` the larger p of the two. `q_discovery`, `q_confirmation` on the halves that `evidence`
names, null where neither half found the pair."""

FOUND = ("q_discovery", "q_confirmation", "evidence", "confirmed")


def classify(evidence: Evidence, params: EnrichmentParams) -> Classification:
    """Labels from confirmed associations only; `general` or `insufficient` otherwise.

    1. Every pair of a feature that is ever active and a concept is tested on all problems.
    2. On either half of the problems, pairs of features with `min_support` active problems are
       tested; Benjamini-Hochberg over all of them finds some at false-discovery rate `alpha`. A
       concept with parts must then be found, too, among problems in which all of them hold.
    3. On the other half only those are tested again, with Benjamini-Hochberg over them at `alpha`
       / 2, as both halves take either role. For a concept with parts both p-values must be small.
    4. What is found, confirmed and strong enough there can be the label; see `verdicts`.

    All tests but those of step 1 compare problems only with problems that are alike in `strata`: a
    label says that the concept is it, and neither the stratum nor the concept's parts.

    Features are counted some at a time. What grows with features times concepts are eight bytes for
    each of at most six p- and q-values, and the table of associations, which `max_p` shortens.

    Raises:
        StudyError: the problems have no such column as `strata` names.
    """
    blocks = Blocks(evidence, params)
    tested = _tested(blocks, params)
    said, associations = [LABELS.to_frame()], [ASSOCIATIONS.to_frame()]
    for block, tests in blocks:
        every = _every(block, tests, tested, params)
        tried = _tried(block, tests, tested.ways, params)
        confirmed = tried.filter("confirmed")
        said.append(labels(every, confirmed, evidence.concepts, tested.level, params))
        shown = every.filter(pl.col("p") <= params.max_p)
        shown = shown.join(
            tried.select("pair", *FOUND), on="pair", how="left", maintain_order="left"
        )
        shown = shown.with_columns(pl.col("confirmed").fill_null(value=False))
        associations.append(shown.match_to_schema(ASSOCIATIONS, extra_columns="ignore"))
    found = pl.concat(said)
    rest = blocks.features.join(found, on="feature", how="anti", maintain_order="left")
    return Classification(
        labels=pl.concat([found, untested(rest, params)], how="diagonal"),
        associations=pl.concat(associations),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """What is known of all pairs at once; arrays (pairs,)."""

    p: Floats
    q: Floats
    q_claim: Floats
    ways: list[Direction]
    level: float
    """The p-value at which one finding more would be accepted."""


def _tested(blocks: Blocks, params: EnrichmentParams) -> Tested:
    """All p-values that matter, then what depends on all of them."""
    ways = _found(blocks, params)
    p, claim = np.empty((2, blocks.n_pairs))
    for block, tests in blocks:
        p[block.pairs] = tests.plain["p"].to_numpy()
        claim[block.pairs] = tests.claims.p.ravel()
    q = adjusted(p)
    return Tested(p, q, adjusted(claim), ways, level_of(q, params.alpha))


def _found(blocks: Blocks, params: EnrichmentParams) -> list[Direction]:
    """Either half's p-values, exact where it matters, and what each finds and confirms."""
    first, second = np.empty((2, blocks.n_pairs))
    for block, tests in blocks:
        first[block.pairs] = tests.rough("first").ravel()
        second[block.pairs] = tests.rough("second").ravel()
    eligible = blocks.eligible
    first, second = first[eligible], second[eligible]
    matters = np.any([may_matter(lower_bound(p), params.alpha) for p in (first, second)], axis=0)
    pairs, numbers = np.flatnonzero(matters), np.flatnonzero(eligible)
    on_first, on_second = _exact(blocks, numbers[pairs])
    first[pairs], second[pairs] = on_first.alike, on_second.alike
    ways = [
        direction("second", first, pairs, on_first, on_second, params.alpha),
        direction("first", second, pairs, on_second, on_first, params.alpha),
    ]
    return [replace(way, pairs=numbers[way.pairs]) for way in ways]


def _exact(blocks: Blocks, pairs: Places) -> list[Claims]:
    """The p-values of some pairs, ascending, on either half."""
    parts: dict[Side, list[Claims]] = {"first": [], "second": []}
    for block, tests in blocks:
        some = pairs[slice(*np.searchsorted(pairs, [block.start, block.stop]))]
        if len(some):  # else nothing needs to be counted
            for side, part in parts.items():
                part.append(tests.exact(side, *block.places(some)))
    nothing = np.empty(0)
    return [
        Claims(
            np.concatenate([nothing, *(claims.log_alike for claims in part)]),
            np.concatenate([nothing, *(claims.log_parts for claims in part)]),
        )
        for part in parts.values()
    ]


def _every(block: Block, tests: Tests, tested: Tested, params: EnrichmentParams) -> pl.DataFrame:
    """All pairs of the block on all problems, with the number of each, `pair`."""
    rows, claims = block.pairs, tests.claims
    frame = (
        tests.numbers("all", *tests.every_pair())
        .hstack(tests.plain)
        .with_columns(
            pair=pl.int_range(block.start, block.stop),
            q=tested.q[rows],
            p_alike=claims.alike.ravel(),
            p_parts=nullable(claims.parts.ravel()),
            p_claim=claims.p.ravel(),
            q_claim=tested.q_claim[rows],
        )
    )
    frame = frame.with_columns(n_needed=needs(frame, tested.level, params))
    return frame.with_columns(verdict=verdict(params.alpha, floor(params)))


def _tried(
    block: Block, tests: Tests, ways: list[Direction], params: EnrichmentParams
) -> pl.DataFrame:
    """What was found in the block, once each, with the numbers of the half that tried it.

    Columns besides those of `Tests.numbers`: those of `FOUND`, `pair`, `log_p_discovery` and `way`.
    Where both ways found a pair, the one that confirmed it stands, the first if both did.
    """
    parts = [_one_way(block, tests, number, way, params) for number, way in enumerate(ways)]
    ordered = pl.concat(parts).sort("confirmed", descending=True, maintain_order=True)
    return ordered.unique("pair", keep="first", maintain_order=True)


def _one_way(
    block: Block, tests: Tests, number: int, way: Direction, params: EnrichmentParams
) -> pl.DataFrame:
    found = way.among(block.start, block.stop)
    certain = pl.col("q_confirmation") <= params.alpha / 2
    return (
        tests.numbers(way.confirming, *block.places(found.pairs))
        .with_columns(
            pair=found.pairs,
            way=pl.lit(number),
            log_p_discovery=found.log_p,
            q_discovery=found.q_discovery,
            q_confirmation=found.q_confirmation,
            evidence=pl.lit(way.evidence),
        )
        .with_columns(confirmed=(certain & (effect() >= floor(params))).fill_null(value=False))
    )
