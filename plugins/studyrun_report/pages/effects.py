"""Effects: what editing a feature changed, beside its controls."""

from __future__ import annotations

import polars as pl

from studyrun_report.pages.parts import Part, by_feature
from studyrun_report.writing.tables import Spec

__all__ = ["effects"]

SPECS = (
    Spec("step", "Step", at="place_id"),
    Spec("title", "Quantity"),
    Spec("scale", "Scale", "exact"),
    Spec("size", "Size", "number", "Mean size of the change on the problems on which it acts",
         form_by="form", beneath=("n", "count", "on {}")),
    Spec("random", "Random", "number",
         "The same differences turned into random directions of their norm", form_by="form"),
    Spec("alike", "Alike", "number",
         "The same edit of other features, alike in frequency and activation", form_by="form"),
    Spec("floor", "Noise", "number", "The largest size where nothing is edited", form_by="form"),
    Spec("verdict", "Verdict", beneath=("q", "probability", "q {}"),
         about="Whether it is larger than in a random direction and above the noise; below it the "
         "q-value of the one-sided test"),
)  # fmt: skip


def effects(found: pl.DataFrame) -> Part | None:
    """A row for each step, scale and quantity, of `feature_effects.of_features`."""
    one = found["scale"].n_unique() == 1
    specs = [spec for spec in SPECS if not (one and spec.name == "scale")]
    return by_feature(found, specs, name="effects", caption="Effects of editing it")
