"""Seeds: the most similar feature in SAEs that were trained with other seeds."""

from __future__ import annotations

from studyrun_report.labelling import Labelling
from studyrun_report.pages.parts import Part, by_feature
from studyrun_report.writing.tables import Spec

__all__ = ["seeds"]

SPECS = (
    Spec("variant", "SAE"),
    Spec("cosine", "Cosine", "number", "Of the two decoder directions"),
    Spec("match_label", "Label there", beneath=("match", "count", "feature {}")),
    Spec("same", "Same label"),
    Spec("expected", "By chance", "share",
         "How often a feature drawn at random there would have the same label"),
)  # fmt: skip


def seeds(of: Labelling) -> Part | None:
    """A row for each other SAE."""
    found = of.stored.having("matches", "feature", "variant", "cosine")
    if found is None:
        return None
    caption = "Most similar features of SAEs with other seeds"
    return by_feature(found, SPECS, name="seeds", caption=caption)
