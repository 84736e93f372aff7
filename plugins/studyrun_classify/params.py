"""Parameters of the step `classify` and of its classifiers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from studyrun import ClassifierRef, ConceptRef, Fraction, NonNegativeInt, PositiveInt, RankRange

__all__ = ["ClassifyParams", "EnrichmentParams", "ThresholdParams"]

Level = Annotated[float, Meta(gt=0, lt=1)]
OddsRatio = Annotated[float, Meta(gt=1)]
Auroc = Annotated[float, Meta(gt=0.5, lt=1)]


@dataclass(frozen=True)
class ClassifyParams:
    """Which concepts are tested, by which classifier, on which problems."""

    classifier: ClassifierRef = "enrichment"
    """Turns activations and concepts into labels."""
    concepts: Annotated[list[ConceptRef], Meta(min_length=1)] = field(
        default_factory=lambda: ["operations", "values", "patterns"]
    )
    """Where the yes/no properties of a problem come from."""
    ranks: list[RankRange] = field(default_factory=list)
    """Ranges of frequency ranks (1 is the most frequent feature) for the table `distribution`; one
    range over all features if left out."""
    split: Literal["validation", "train", "all"] = "validation"
    """The problems on which features are ranked and labelled."""
    top: NonNegativeInt = 10
    """How many problems to keep for each feature: those on which |activation| is largest."""


@dataclass(frozen=True)
class EnrichmentParams:
    """When an association is strong, certain and specific enough to be a label."""

    alpha: Level = 0.01
    """False-discovery rate, on the half that finds and again on the half that confirms."""
    min_support: PositiveInt = 20
    """Active problems without which a feature is never labelled."""
    min_odds_ratio: OddsRatio = 2.0
    """Smallest odds ratio (concept among active against inactive problems) that makes a label;
    also the effect that the problems must have been enough for before `general` is said."""
    min_auroc: Auroc = 0.6
    """The same for features that are active nearly everywhere: how often a problem with the concept
    has the larger |activation| of the two."""
    strata: list[str] = field(default_factory=lambda: ["n_steps"])
    """Columns of the problems. An association must also hold among problems that are alike in
    them: a feature of long problems is not one of everything that long problems contain."""
    always_on: Fraction = 0.9
    """Share of the problems of a stratum above which a feature counts as always on there. Where
    most of its active problems lie in such strata, |activation| is tested in place of being
    active."""
    power: Level = 0.8
    """Probability of finding the effect for which `n_needed` is computed."""


@dataclass(frozen=True)
class ThresholdParams:
    """The shares that make a label; no test, no base rate."""

    ties: Literal["drop", "keep"] = "keep"
    """`drop`: what ties with the most frequent one is not looked at, so a feature whose problems
    all use both `*` and `+` is called specialised. `keep`: it is looked at like any other."""
    top: PositiveInt = 100
    """How many problems of largest |activation| are looked at."""
    operation: Fraction = 0.7
    """An operation must be in more than this share of them,"""
    other_operations: Fraction = 0.3
    """and each other operation in less than this share."""
    value: Fraction = 0.5
    """A value must be in more than this share of them,"""
    other_values: Fraction = 0.2
    """and each other value in less than this share."""
