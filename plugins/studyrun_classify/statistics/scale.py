"""`associations`: every feature against every concept, however many there are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from studyrun import Evidence
from studyrun_classify.params import EnrichmentParams
from studyrun_classify.statistics.association import adjusted, judged, level_of, upper_tails
from studyrun_classify.statistics.incidence import counts, incidence_of, pieces

__all__ = ["associations"]


def associations(
    evidence: Evidence,
    *,
    alpha: float = 0.01,
    power: float = 0.8,
    min_odds_ratio: float = 2.0,
    rows: int = 2**19,
) -> Iterator[pl.DataFrame]:
    """The table that `associate` gives of all counts, some features after the other.

    Features come by rank, each with all concepts in their order; Benjamini-Hochberg is over all of
    them. Everything is counted twice, once for p and once for the rest, so that only p and q of all
    rows are ever in memory beside the activations: 65,536 features, 200 concepts and 100,000
    problems of which 1 % are active take 2.2 GiB.

        for number, table in enumerate(associations(evidence)):
            table.write_parquet(f"associations-{number:04}.parquet")

    Args:
        evidence: as a classifier is given it.
        alpha: as `associate`.
        power: as `associate`.
        min_odds_ratio: as `associate`.
        rows: how long a table may be, about; no feature is split.

    Raises:
        StudyError: a pair of the evidence names a problem or feature that is unknown.
    """
    incidence = incidence_of(evidence)
    size = rows // max(len(evidence.concepts), 1)
    some = list(pieces(len(incidence.features), size))
    p = np.concatenate([np.empty(0), *(upper_tails(counts(incidence.of(each))) for each in some)])
    q = adjusted(p)
    params = EnrichmentParams(alpha=alpha, power=power, min_odds_ratio=min_odds_ratio)
    level, start = level_of(q, alpha), 0
    for each in some:
        counted = counts(incidence.of(each))
        here = slice(start, start + counted.height)
        yield judged(counted, p[here], q[here], level, params)
        start = here.stop
