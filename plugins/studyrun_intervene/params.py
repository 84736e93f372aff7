"""Parameters of interventions, of the steps that run them, and of effects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from studyrun import DataRef, EffectRef, NonNegativeInt, PositiveInt, RankRange
from studyrun_classify.params import SwapTest

__all__ = [
    "Amplify",
    "Controls",
    "EditFeatures",
    "EditPairs",
    "FeatureChoice",
    "LensEffect",
    "Patch",
    "Steer",
]

Level = Annotated[float, Meta(gt=0, lt=1)]
Effects = Annotated[list[EffectRef], Meta(min_length=1)]
Split = Literal["validation", "train", "all"]
Pair = Annotated[list[NonNegativeInt | str], Meta(min_length=2, max_length=2)]
Set = Annotated[list[NonNegativeInt], Meta(min_length=1)]
Place = int | str
Trait = Literal["operations", "n_steps", "first-operand", "answer", "pair"]


@dataclass(frozen=True)
class Amplify:
    """Parameters of the intervention `amplify`."""

    factor: float = 2.0
    """What the activations are multiplied by; 1 changes nothing, 0 ablates."""


@dataclass(frozen=True)
class FeatureChoice:
    """Which features to edit; exactly one of the first four."""

    top: PositiveInt | None = None
    """The so many most frequent features."""
    ranks: Annotated[list[RankRange], Meta(min_length=1)] | None = None
    """Ranges of frequency ranks, both ends included; rank 1 is the most frequent feature."""
    ids: Annotated[list[NonNegativeInt], Meta(min_length=1)] | None = None
    """Features by number, 0 to d_sae - 1."""
    sets: Annotated[list[Set], Meta(min_length=1)] | None = None
    """Sets of features by number, each edited at once: `[[3, 17], [4, 8, 15]]`."""
    together: bool = False
    """Edit all chosen features at once, instead of one by one."""


@dataclass(frozen=True)
class Controls:
    """What every effect is compared with, and how sure its numbers are."""

    matched: PositiveInt = 20
    """How many other features, alike in frequency and mean activation, get the same edit."""
    directions: PositiveInt = 100
    """How many random directions of the same norm the reconstruction is compared with."""
    random: bool = True
    """Whether every edited run of the model is made again in a random direction of its norm."""
    elsewhere: Place | Literal["next"] | None = "next"
    """The position at which every edit is made again, to see what the position has to do with it:
    a position, the `next` one (after the last, the one before), or null for none."""
    resamples: PositiveInt = 1000
    """Bootstrap samples of the problems behind an interval."""
    flips: PositiveInt = 20_000
    """Random exchanges behind a p-value, which is at least 1 / (1 + flips)."""
    confidence: Level = 0.95
    """Coverage of every interval."""
    alpha: Level = 0.05
    """An effect is called one where its q-value is below this."""


@dataclass(frozen=True, kw_only=True)
class _Edits:
    """What every step that edits has."""

    effects: Effects = field(default_factory=lambda: ["reconstruction"])
    """What is measured."""
    scales: Annotated[list[float], Meta(min_length=1)] = field(default_factory=lambda: [1.0])
    """How much of the edit is made: 1 all of it, 0 none, 2 twice the difference (dose-response)."""
    split: Split = "validation"
    """The problems on which it is measured."""
    problems: PositiveInt = 200
    """At most so many of them, drawn by the seed, are run through the model."""
    controls: Controls = Controls()
    """What it is compared with."""


@dataclass(frozen=True, kw_only=True)
class EditFeatures(_Edits):
    """Parameters that every step of an intervention on features has."""

    features: FeatureChoice | Literal["all"] = FeatureChoice(top=10)
    """Which features are edited, one at a time: `{top: 10}`, `{ranks: [50-200]}`, `{ids: [7]}`
    or `all`; or in sets: `{sets: [[3, 17]]}`, `{ranks: [1-20], together: true}`."""


@dataclass(frozen=True, kw_only=True)
class EditPairs(_Edits):
    """Parameters that every step of an intervention on pairs of features has."""

    pairs: Annotated[list[Pair], Meta(min_length=1)] | Literal["auto"] = "auto"
    """Which features form pairs: by number (`[[3, 17]]`), by the concepts of their labels
    (`[[contains 12, contains 50]]`: of each the most frequent feature), or `auto`: features whose
    labels are of one kind and differ, the best candidates first."""
    max_pairs: PositiveInt = 10
    """How many pairs `auto` makes at most: the first of the labels' table `swap_pairs`."""
    generate: DataRef | None = None
    """A data component that makes problems for a pair where the study has too few to test it, such
    as `word-problems`; its parameters say what these are like."""
    test: SwapTest = field(default_factory=SwapTest)
    """How sure the swap protocol must be, which the effect `answer` brings with it."""


@dataclass(frozen=True, kw_only=True)
class Patch(_Edits):
    """Parameters of the step `patch`: the site's residual is taken from another problem."""

    same: list[Trait] = field(default_factory=lambda: ["operations"])
    """In what problem and donor agree."""
    differ: list[Trait] = field(default_factory=lambda: ["first-operand", "answer"])
    """In what they differ. The donor is drawn among all problems of the split that fit; problems
    for which there is none are left out."""
    layers: list[NonNegativeInt] | None = None
    """Patch after each of these layers; the layers of the activations if not given."""
    positions: list[Place] | None = None
    """Patch at each of these positions; the positions of the activations if not given."""
    effects: Effects = field(default_factory=lambda: ["answer"])
    """What is measured; not `reconstruction`, since no SAE has a part in it."""


@dataclass(frozen=True, kw_only=True)
class Steer(_Edits):
    """Parameters of the step `steer`: a multiple of a direction is added to the residual."""

    features: FeatureChoice | None = None
    """The decoder directions of these features of the SAE."""
    where: list[str] = field(default_factory=list)
    """For each, the difference between the mean residual of the problems for which this is true, in
    SQL over the problems' columns, and of the others: `["n_steps = 3"]`."""
    scales: Annotated[list[float], Meta(min_length=1)] = field(default_factory=lambda: [1.0])
    """How much of the unit direction is added, in mean norms of the residuals at the site."""
    effects: Effects = field(default_factory=lambda: ["next-token", "answer"])
    """What is measured; not `reconstruction`."""


@dataclass(frozen=True)
class LensEffect:
    """Parameters of the effect `logit-lens`."""

    k: PositiveInt = 5
    """How many of the most likely tokens are written down for each thought."""
