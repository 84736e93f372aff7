"""Measures: what is compared of each case, read from its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from studyrun_classify.kinds import is_labelled
from studyrun_classify.statistics.intervals import wilson
from studyrun_report.blocks import Verdict
from studyrun_report.label_table import NEEDED
from studyrun_report.sections.verdicts import JUDGEMENTS
from studyrun_report.source import Source, Stored

__all__ = ["EXPLAINED", "LABELLED", "SCHEMA", "Measure", "kinds", "labelling", "measures",
           "quality", "share_of"]  # fmt: skip

QUALITY = ("explained_variance", "explained_variance_seed", "fvu", "l0", "dead", "dead_share")
SHARES = ("labelled", "tested")
ENDS = ("share", "low", "high")
COUNTS = ("n", "dead", "features", "with_label", "with_evidence", "label_problems",
          *JUDGEMENTS)  # fmt: skip
SCHEMA: Mapping[str, pl.DataType] = {
    "split": pl.String(),
    **{name: pl.Float64() for name in QUALITY},
    **{f"{share}_{end}": pl.Float64() for share in SHARES for end in ENDS},
    **{name: pl.Int64() for name in COUNTS},
}
"""The columns of `measures`."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of which the pictures speak."""

    column: str
    title: str
    form: str = "number"
    """A key of the tables' writers."""
    ends: tuple[str, str] | tuple[()] = ()
    """The columns with the ends of its interval."""


EXPLAINED = Measure("explained_variance", "Explained variance")
LABELLED = Measure(
    "labelled_share", "Labelled features", "share", ends=("labelled_low", "labelled_high")
)


def measures(source: Source, judged: Sequence[Verdict]) -> dict[str, Any]:
    """A row of the frame; what the case does not have is left out."""
    counts = Counter(each.verdict for each in judged)
    return {
        **_quality(source),
        **_labels(source),
        **({name: counts[name] for name in JUDGEMENTS} if judged else {}),
    }


def quality(source: Source) -> Stored | None:
    """The first SAE whose quality was measured; without one, the first encoding."""
    for type_name in ("sae", "feature-acts"):
        for stored in source.of_type(type_name):
            if stored.having("quality", "split", "n") is not None:
                return stored
    return None


def labelling(source: Source) -> Stored | None:
    """The first labelling."""
    found = (each for each in source.of_type("labels") if each.has(*NEEDED))
    return next(found, None)


def share_of(part: int, whole: int) -> dict[str, float | None]:
    """The share with Wilson's 95 % interval; nothing where the whole is 0."""
    if whole == 0:
        return dict.fromkeys(ENDS)
    found = wilson(np.asarray(float(part)), np.asarray(float(whole)))
    return {"share": part / whole, "low": float(found.low), "high": float(found.high)}


def kinds(source: Source) -> dict[str, int]:
    """Kind -> features of the first labelling; null counts as `general`, as in its own tables."""
    stored = labelling(source)
    if stored is None or stored.table is None:
        return {}
    named = stored.table["kind"].cast(pl.String).fill_null("general")
    return dict(named.value_counts(sort=True).sort("count", "kind").iter_rows())


def _quality(source: Source) -> dict[str, Any]:
    """On problems that the SAE was not trained on, where it was measured there."""
    stored = quality(source)
    frame = None if stored is None else stored.other("quality")
    if frame is None:
        return {}
    held_out = frame.filter(pl.col("split") != "train")
    row = (held_out if held_out.height else frame).row(0, named=True)
    return {name: row[name] for name in ("split", "n", *QUALITY) if name in row}


def _labels(source: Source) -> dict[str, Any]:
    stored = labelling(source)
    if stored is None or stored.table is None:
        return {}
    labels = stored.table
    certain = labels.filter(pl.col("kind").fill_null("") != "insufficient")
    with_label = labels.filter(is_labelled()).height
    found = {"labelled": labels.height, "tested": certain.height}
    shares = {name: share_of(with_label, whole) for name, whole in found.items()}
    return {
        "features": labels.height,
        "with_label": with_label,
        "with_evidence": certain.height,
        "label_problems": stored.artifact.meta.get("n_problems"),
        **{f"{name}_{end}": value for name, own in shares.items() for end, value in own.items()},
    }
