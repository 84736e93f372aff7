"""Parameters of the steps `portraits` and `coactivation`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from studyrun import NonNegativeInt, PositiveInt

__all__ = ["Coactivation", "Portraits", "Split"]

Split = Literal["validation", "train", "all"]
Bins = Annotated[int, Meta(ge=1, le=1000)]
Level = Annotated[float, Meta(gt=0, lt=1)]
Lift = Annotated[float, Meta(gt=1)]
Pairable = Annotated[int, Meta(ge=2)]


@dataclass(frozen=True)
class Portraits:
    """What is told of every feature, whatever it stands for."""

    split: Split = "all"
    """The problems on which activations are looked at. Nothing is tested here, so the problems of
    training may be among them."""
    bins: Bins = 20
    """Of each feature's histogram: equal ones, from its smallest to its largest activation."""
    top: NonNegativeInt = 10
    """How many problems of largest |activation| are shown of each feature."""
    samples: NonNegativeInt = 3
    """How many are drawn from each fifth of its active problems, these sorted by |activation|."""
    neighbours: NonNegativeInt = 5
    """How many features of largest decoder cosine are told of each."""
    tokens: NonNegativeInt = 5
    """How many tokens its decoder direction promotes, and suppresses, are told of each; 0 does
    without the model."""


@dataclass(frozen=True)
class Coactivation:
    """Which pairs of features are tested, and when they are said to fire together."""

    split: Split = "validation"
    """The problems on which is counted; an SAE was not trained on those of `validation`."""
    min_active: PositiveInt = 20
    """Active problems without which a feature is in no pair. One that is active on all problems is
    in none either."""
    features: Pairable = 1024
    """How many features take part at most: the most frequent ones."""
    strata: list[str] = field(default_factory=lambda: ["n_steps"])
    """Columns of the problems. Features must also fire together among problems that are alike in
    them: long problems switch on more features than short ones. A column that the problems have not
    is left out."""
    alpha: Level = 0.01
    """False-discovery rate over all pairs tested."""
    min_phi: Level = 0.2
    """Smallest phi (correlation of being active) that counts, among all problems and among alike
    ones,"""
    min_lift: Lift = 2.0
    """or smallest lift (how many times the problems that chance gives), likewise."""
    module_phi: Level = 0.2
    """Groups of features are joined to a module while the mean phi between them is at least this;
    a pair that does not fire together counts as 0."""
    map: NonNegativeInt = 60
    """How many features are on the map: those that fire together with the most others."""
    pairs: PositiveInt = 20_000
    """How many pairs the table holds at most: `together` first, then by phi."""
    permutations: NonNegativeInt = 5
    """How often everything is tested again, each feature's activity moved to random problems that
    are alike."""
