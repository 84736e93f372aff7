"""Quantities: what effects measure in edited runs, how it is called and shown, in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from studyrun_intervene.columns import wide_columns
from studyrun_intervene.measures import MEASURES
from studyrun_report.writing.text import harmless

__all__ = ["GROUPS", "MEASURE", "ORDER", "RECONSTRUCTION", "Group", "Quantity", "place_title",
           "quantity", "strange"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that an effect gives for every edited run, and its mean over runs."""

    name: str
    """Its column."""
    title: str
    form: str = "number"
    """A key of the tables' writers."""
    signed: bool = False
    """It may be negative, so its size is not its mean."""

    @property
    def about(self) -> str:
        """What it is, where the project itself measures it."""
        return ABOUT.get(self.name, "")


@dataclass(frozen=True, slots=True)
class Group:
    """What one effect measures: a table, and a folded one with the rest."""

    name: str
    """The effect."""
    title: str
    """What is measured."""
    main: tuple[str, ...]
    """What is spoken of; rows are ordered by the first of these that was measured."""
    shown: tuple[str, ...]
    folded: tuple[str, ...] = ()


ABOUT = {each.name: each.about for measures in MEASURES.values() for each in measures}
KNOWN = (
    Quantity("kl", "KL"),
    Quantity("log_prob_change", "Log-probability", signed=True),
    Quantity("rank_change", "Rank", signed=True),
    Quantity("answer_changed", "Answer changed", "share"),
    Quantity("answer_towards", "Towards expected", "share"),
    Quantity("answer_matched", "As expected", "share"),
    Quantity("answer_flipped", "Right or wrong flipped", "share"),
    Quantity("answer_difference", "Difference of answers", signed=True),
    Quantity("answer_right_before", "Right before", "share"),
    Quantity("answer_right_after", "Right after", "share"),
    Quantity("thoughts_shift", "Shift of thoughts"),
    Quantity("thoughts_turn", "Turn of thoughts"),
    Quantity("thought_shift", "Shift of a thought"),
    Quantity("thought_turn", "Turn of a thought"),
    Quantity("lens_changed", "Likeliest token changed", "share"),
    Quantity("lens_overlap", "Likeliest tokens that stay", "share"),
    Quantity("thought_lens_changed", "Likeliest token changed", "share"),
)
"""The built-in effects', in the order of the page."""
GROUPS = (
    Group("next-token", "the answer's first token", ("kl",), ("kl", "log_prob_change"),
          ("rank_change",)),
    Group("answer", "the answer", ("answer_towards", "answer_changed"),
          ("answer_changed", "answer_towards", "answer_matched"),
          ("answer_flipped", "answer_difference")),
    Group("thoughts", "the thoughts from the site on", ("thoughts_shift",),
          ("thoughts_shift", "thoughts_turn")),
    Group("logit-lens", "what the thoughts from the site on decode to", ("lens_changed",),
          ("lens_changed", "lens_overlap")),
)  # fmt: skip
"""The built-in effects that read runs, in the order of the page."""
MEASURE = "mean_abs_diff"
"""The column that tells that a step measured the reconstruction, outside the model."""
RECONSTRUCTION = Quantity(MEASURE, "Reconstruction, mean |change|")
ORDER = {each.name: place for place, each in enumerate(KNOWN)}
BY_NAME = {each.name: each for each in KNOWN}


def quantity(name: str) -> Quantity:
    """What is known of it; of a third party's its name, and that it may be negative."""
    return BY_NAME.get(name) or Quantity(name, harmless(name, 40), signed=True)


def strange(table: pl.DataFrame) -> Group | None:
    """What effects of third parties measured in edited runs: all six columns of it are there."""
    names = tuple(_strange(table.columns))
    return Group("others", "what other effects measure", names, names) if names else None


def _strange(columns: Sequence[str]) -> Iterator[str]:
    there = set(columns)
    for name in columns:
        own = {column for column, _ in wide_columns(name, "change")}
        if name not in BY_NAME and own <= there:
            yield name


def place_title(place: str) -> str:
    """`at thought 3`; the empty place is none."""
    return f"at thought {harmless(place, 20)}" if place else ""
