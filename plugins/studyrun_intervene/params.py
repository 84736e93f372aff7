"""Parameters of interventions, of the steps that run them, and of effects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from studyrun import EffectRef, NonNegativeInt, PositiveInt, RankRange

__all__ = [
    "Amplify",
    "AnswerEffect",
    "Controls",
    "EditFeatures",
    "EditPairs",
    "FeatureChoice",
]

Level = Annotated[float, Meta(gt=0, lt=1)]
Effects = Annotated[list[EffectRef], Meta(min_length=1)]
Split = Literal["validation", "train", "all"]
Pair = Annotated[list[NonNegativeInt], Meta(min_length=2, max_length=2)]


@dataclass(frozen=True)
class Amplify:
    """Parameters of the intervention `amplify`."""

    factor: float = 2.0
    """What the activations are multiplied by; 1 changes nothing, 0 ablates."""


@dataclass(frozen=True)
class FeatureChoice:
    """Which features to edit; exactly one of the three."""

    top: PositiveInt | None = None
    """The so many most frequent features."""
    ranks: Annotated[list[RankRange], Meta(min_length=1)] | None = None
    """Ranges of frequency ranks, both ends included; rank 1 is the most frequent feature."""
    ids: Annotated[list[NonNegativeInt], Meta(min_length=1)] | None = None
    """Features by number, 0 to d_sae - 1."""


@dataclass(frozen=True)
class Controls:
    """What every effect is compared with, and how sure its numbers are."""

    matched: PositiveInt = 20
    """How many other features, alike in frequency and mean activation, get the same edit."""
    directions: PositiveInt = 100
    """How many random directions of the same norm are compared."""
    resamples: PositiveInt = 1000
    """Bootstrap samples of the problems behind an interval."""
    confidence: Level = 0.95
    """Coverage of every interval."""


@dataclass(frozen=True)
class EditFeatures:
    """Parameters that every step of an intervention on single features has."""

    features: FeatureChoice | Literal["all"] = FeatureChoice(top=10)
    """Which features are edited, one at a time: `{top: 10}`, `{ranks: [50-200]}`, `{ids: [7]}`
    or `all`."""
    effects: Effects = field(default_factory=lambda: ["reconstruction"])
    """What is measured."""
    split: Split = "validation"
    """The problems on which it is measured."""
    controls: Controls = Controls()
    """What it is compared with."""


@dataclass(frozen=True)
class EditPairs:
    """Parameters that every step of an intervention on pairs of features has."""

    pairs: Annotated[list[Pair], Meta(min_length=1)] | Literal["auto"] = "auto"
    """Which features form pairs: `[[3, 17]]`, or `auto`: features whose labels are of one kind
    and differ, such as two values or two operations, if there are problems enough to test them."""
    max_pairs: PositiveInt = 10
    """How many pairs `auto` makes at most: the first of the labels' table `swap_pairs`."""
    effects: Effects = field(default_factory=lambda: ["reconstruction"])
    """What is measured."""
    split: Split = "validation"
    """The problems on which it is measured."""
    controls: Controls = Controls()
    """What it is compared with."""


@dataclass(frozen=True)
class AnswerEffect:
    """Parameters of the effect `answer`."""

    problems: PositiveInt = 128
    """At most so many problems per edit, drawn from those on which the edit changes anything."""
