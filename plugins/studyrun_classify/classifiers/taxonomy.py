"""The classifier `taxonomy`: which concepts occur among the top problems, and of what level.

For comparison: the first rule of the investigation that this project grew out of. Source: its
report "LLaMA SAE Feature Taxonomy - Layer 14, Position 3" (2025-10-27), analysis method, steps 2
to 4, and the script named there. Where these differ, the published labels follow the script, and
so does this module: a mixed feature has medium confidence however many patterns it has. There,
patterns were substrings of the calculations; here a concept is what the study says that it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal

import polars as pl

from studyrun import Classification, Evidence
from studyrun_classify import columns
from studyrun_classify.classifiers.top_counts import Row, numbers_of, rows_of_features, top_counts
from studyrun_classify.params import TaxonomyParams

__all__ = ["SCHEMA", "Level", "classify", "level"]

NAMED = 3
"""So many patterns a label names; more are counted, and listed in the column `patterns`."""
SCHEMA = columns.TAXONOMY.schema()

Type = Literal["operation-level", "value-level", "mixed", "unknown"]
KINDS: dict[Type, str] = {
    "operation-level": "operation",
    "value-level": "value",
    "mixed": "combination",
    "unknown": "unknown",
}
"""The published types in the words of the other classifiers."""


@dataclass(frozen=True, slots=True)
class Level:
    """What a feature is said to encode."""

    type: Type
    confidence: Literal["high", "medium", "unknown"]


def level(n_operations: int, n_values: int) -> Level:
    """The published type and confidence, from how many patterns of each level were found.

    Both: mixed, medium. One level only: that level, high from two patterns on. None: unknown.
    """
    if n_operations and n_values:
        return Level("mixed", "medium")
    if not n_operations and not n_values:
        return Level("unknown", "unknown")
    confidence: Literal["high", "medium"] = "high" if n_operations + n_values > 1 else "medium"
    return Level("operation-level" if n_operations else "value-level", confidence)


def classify(evidence: Evidence, params: TaxonomyParams) -> Classification:
    """Labels by `level` over each feature's top problems; nothing is tested, `verdict` is untested.

    Counts know no base rate here: a hundred problems drawn at random show nearly every concept
    often enough, so that nearly every feature is `mixed`. `associations` holds the counts with
    rates and base rates.
    """
    counted = top_counts(evidence, params.top, [*params.operation_level, *params.value_level])
    of_feature = rows_of_features(counted)
    rows = [
        {"feature": feature, **_label(of_feature.get(feature, []), min(n, params.top), params)}
        for feature, n in evidence.features.select("feature", "n_active").iter_rows()
    ]
    return Classification(labels=pl.DataFrame(rows, schema=SCHEMA), associations=counted)


def _label(counted: Sequence[Row], n: int, params: TaxonomyParams) -> Row:
    """The row of one feature, from its counts over n top problems."""
    patterns = [row for row in counted if row["n_active_with"] >= _least(row["kind"], params)]
    operations = [row for row in patterns if row["kind"] in params.operation_level]
    found = level(len(operations), len(patterns) - len(operations))
    names = [row["concept"] for row in patterns]
    kind = KINDS[found.type] if n else "insufficient"
    return {
        "label": _words(found.type, names) if names else kind,
        "kind": kind,
        "verdict": "untested",
        "evidence": "top problems",
        "n": n,
        "published_type": found.type,
        "confidence": found.confidence,
        "patterns": names,
        **(numbers_of(max(patterns, key=itemgetter("n_active_with"))) if patterns else {}),
    }


def _least(kind: str, params: TaxonomyParams) -> int:
    return params.min_value if kind == "value" else params.min_pattern


def _words(found: Type, names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) <= NAMED else f"{found}: {len(names)} patterns"
