"""A labelling: every feature of one SAE with what is known of it, and where its page is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from studyrun_classify.kinds import is_labelled
from studyrun_report.labels import NEEDED, ordered, with_odds
from studyrun_report.source import Source, Stored

__all__ = ["Labelling", "labelling_of", "labellings", "link_to"]


@dataclass(frozen=True, slots=True, eq=False)
class Labelling:
    """Labels with what else was made of the same SAE."""

    source: Source
    stored: Stored
    table: pl.DataFrame
    """Every feature: the labelled first, most certain first, then the others by rank; with `odds`,
    and with the label only where it says something."""
    prefix: str
    """Before the feature in the id of its page."""
    portraits: Stored | None
    coactivation: Stored | None

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
    for stored in _labelled(source):
        table = stored.table
        assert table is not None
        known = with_odds(ordered(table)).with_columns(label=pl.when(is_labelled()).then("label"))
        yield Labelling(
            source,
            stored,
            known,
            _prefix(source, stored),
            source.beside(stored, "portraits"),
            source.beside(stored, "coactivation"),
        )


def labelling_of(source: Source, stored: Stored) -> Labelling | None:
    """The labelling of the SAE of which `stored` was made."""
    own = source.beside(stored, "labels")
    return next((each for each in labellings(source) if each.stored is own), None)


def link_to(source: Source, stored: Stored) -> str:
    """What stands before a feature in the id of its page; empty where it has none."""
    own = stored if stored.type == "labels" else source.beside(stored, "labels")
    there = source.params.pages and own is not None and any(e is own for e in _labelled(source))
    return _prefix(source, own) if there and own is not None else ""


def _labelled(source: Source) -> list[Stored]:
    return [each for each in source.of_type("labels") if each.has(*NEEDED)]


def _prefix(source: Source, stored: Stored) -> str:
    several = len(_labelled(source)) > 1
    return f"{stored.slug}-feature-" if several else "feature-"
