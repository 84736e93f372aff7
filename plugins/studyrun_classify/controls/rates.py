"""How often a procedure labels features, and what can be said of that rate from so many runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import stdtrit

from studyrun import Evidence
from studyrun_classify import columns
from studyrun_classify.kinds import is_labelled
from studyrun_classify.procedure import Procedure
from studyrun_classify.statistics.intervals import Interval, normal_quantile, wilson

__all__ = ["SCHEMA", "clustered", "control_table", "labelled_by"]

SCHEMA = columns.CONTROLS.schema()

NOTHING_CHANGED = "none"

Bools = NDArray[np.bool_]
Labelled = Mapping[str, Mapping[str, Bools]]
"""Classifier -> control -> (runs, features) which features got a label in which run."""


def labelled_by(
    every: Sequence[Procedure],
    labels: Mapping[str, pl.DataFrame],
    controls: Iterable[tuple[str, Evidence]],
) -> Labelled:
    """What every classifier labels: in the data, and in every control.

    Args:
        every: the classifiers.
        labels: what each says of the data, by its name.
        controls: (name of the control, its evidence); several of one name are its runs.
    """
    runs = {each.name: {NOTHING_CHANGED: [labelled(labels[each.name])]} for each in every}
    for control, evidence in controls:
        for each in every:
            seen = labelled(each(evidence).labels)
            runs[each.name].setdefault(control, []).append(seen)
    return {
        name: {control: np.stack(rows) for control, rows in controlled.items()}
        for name, controlled in runs.items()
    }


def labelled(labels: pl.DataFrame) -> Bools:
    """(features,) which features have a label, in the order of the table."""
    return labels.select(is_labelled()).to_series().to_numpy()


def control_table(labelled: Labelled) -> pl.DataFrame:
    """The table `SCHEMA`: for every classifier the data first, then its controls."""
    rows = [
        _row(classifier, control, runs)
        for classifier, controls in labelled.items()
        for control, runs in controls.items()
    ]
    return pl.DataFrame(rows, SCHEMA)


def _row(classifier: str, control: str, labelled: Bools) -> dict[str, Any]:
    runs, features = labelled.shape
    ends = clustered(labelled)
    return {
        "classifier": classifier,
        "control": control,
        "runs": runs,
        "features": features,
        "labelled": int(labelled.sum()),
        "rate": float(labelled.mean()),
        "ci_low": float(ends.low),
        "ci_high": float(ends.high),
        "runs_with_any": int(labelled.any(axis=1).sum()),
    }


def clustered(labelled: Bools, confidence: float = 0.95) -> Interval:
    """Interval for the rate of labels when the features of one run may be labelled together.

    Wilson's, with runs * features replaced by the number of independent features that would give
    the spread seen between runs:

        runs * features / max(1, deff) * (z / t)^2,    deff = s^2 features / (rate (1 - rate))

    s^2 is the variance of the runs' rates, t the quantile of Student's distribution with runs - 1
    degrees of freedom in place of the normal z. Where all runs have one rate (none labelled
    anything, say) or there is only one run, runs cannot show that features are labelled together;
    the interval is then that of independent features, too narrow if they are.

    Source: Korn and Graubard 1998, Survey Methodology 24, 193-201, for the effective sample size;
    Franco, Little, Louis and Slud 2019, Journal of Survey Statistics and Methodology 7, 334-364,
    for Wilson's interval with it.

    Args:
        labelled: (runs, features), at least one of each.
        confidence: of the interval.
    """
    runs, features = labelled.shape
    rate = float(labelled.mean())
    n = float(labelled.size)
    if runs > 1:
        spread = float(labelled.mean(axis=1).var(ddof=1))
        independent = rate * (1 - rate) / features
        t = float(stdtrit(runs - 1, (1 + confidence) / 2))
        n *= (normal_quantile(confidence) / t) ** 2
        n /= max(1.0, spread / independent if independent else 1.0)
    return wilson(np.asarray(rate * n), np.asarray(n), confidence)
