"""A labelling: every feature of one SAE with what is known of it, and where its page is.

Where a study labels nothing, the features of its portraits stand there without labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from studyrun_classify.kinds import is_labelled
from studyrun_report.label_table import NEEDED, ordered, with_odds
from studyrun_report.source import Source, Stored

__all__ = ["Labelling", "labelling_of", "labellings", "link_to", "told_by"]

MEASURED = ("feature", "n_active", "frequency")
"""Columns without which portraits are no list of features."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelling:
    """Labels with what else was made of the same SAE."""

    source: Source
    stored: Stored
    """The labels; the portraits where there are none."""
    table: pl.DataFrame
    """Every feature: the labelled first, most certain first, then the others by rank; with `odds`,
    and with the label only where it says something."""
    prefix: str
    """Before the feature in the id of its page."""
    portraits: Stored | None
    coactivation: Stored | None

    @property
    def labelled(self) -> bool:
        """Whether anything says what features stand for."""
        return self.stored.type == "labels"

    @property
    def link(self) -> str:
        """The same where features have pages; empty where they have none."""
        return self.prefix if self.source.params.pages else ""

    @property
    def labels(self) -> pl.DataFrame:
        """(feature, label, kind) of the features with a label."""
        named = self.table.filter(is_labelled(), pl.col("label").is_not_null())
        return named.select("feature", "label", "kind")

    def named(self, frame: pl.DataFrame, on: str = "feature", label: str = "label") -> pl.DataFrame:
        """The frame with the label of the feature in column `on`; null where it has none."""
        own = self.labels.select(pl.col("feature").cast(frame.schema[on]).alias(on),
                                 pl.col("label").alias(label))  # fmt: skip
        return frame.join(own, on=on, how="left", maintain_order="left")


def labellings(source: Source) -> Iterator[Labelling]:
    """Those of the study, in its order."""
    for stored in _told(source):
        table = stored.table
        assert table is not None
        if stored.type == "labels":
            known = with_odds(ordered(table)).with_columns(
                label=pl.when(is_labelled()).then("label")
            )
            portraits = source.beside(stored, "portraits")
        else:
            known, portraits = _without_labels(table), stored
        yield Labelling(
            source,
            stored,
            known,
            _prefix(source, stored),
            portraits,
            source.beside(stored, "coactivation"),
        )


def _without_labels(portraits: pl.DataFrame) -> pl.DataFrame:
    """The features by frequency, ranked as labels rank them, with the columns of labels empty."""
    ranked = portraits.sort("n_active", "feature", descending=[True, False])
    nothing = pl.lit(None, pl.String)
    return ranked.with_row_index("rank", offset=1).with_columns(label=nothing, kind=nothing)


def labelling_of(source: Source, stored: Stored) -> Labelling | None:
    """The labelling of the SAE of which `stored` was made."""
    own = told_by(source, stored)
    return next((each for each in labellings(source) if each.stored is own), None)


def told_by(source: Source, stored: Stored) -> Stored | None:
    """The labels, or where there are none the portraits, of the SAE of which `stored` was made."""
    own = [stored, *(source.beside(stored, name) for name in ("labels", "portraits"))]
    every = _told(source)
    return next((each for each in own if any(each is known for known in every)), None)


def link_to(source: Source, stored: Stored) -> str:
    """What stands before a feature in the id of its page; empty where it has none."""
    own = told_by(source, stored)
    return _prefix(source, own) if source.params.pages and own is not None else ""


def _told(source: Source) -> list[Stored]:
    """The labels of the study, and the portraits of SAEs of which there are none."""
    labels = [each for each in source.of_type("labels") if each.has(*NEEDED)]
    portraits = [each for each in source.of_type("portraits") if each.has(*MEASURED)]
    others = [each for each in portraits if source.beside(each, "labels") not in labels]
    return [*labels, *others]


def _prefix(source: Source, stored: Stored) -> str:
    several = len(_told(source)) > 1
    return f"{stored.slug}-feature-" if several else "feature-"
