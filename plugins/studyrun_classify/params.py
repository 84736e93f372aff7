"""Parameters of the step `classify` and of its classifiers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from studyrun import ClassifierRef, ConceptRef, Fraction, NonNegativeInt, PositiveInt, RankRange

__all__ = [
    "ClassifyParams",
    "EnrichmentParams",
    "LinearProbe",
    "ProbeParams",
    "SwapTest",
    "TaxonomyParams",
    "ThresholdParams",
]

Level = Annotated[float, Meta(gt=0, lt=1)]
OddsRatio = Annotated[float, Meta(gt=1)]
Auroc = Annotated[float, Meta(gt=0.5, lt=1)]
Share = Annotated[float, Meta(gt=0, le=1)]
Folds = Annotated[int, Meta(ge=2, le=10)]
Target = Literal[
    "answer", "n_steps", "first-operand", "first-result", "second-result", "third-result"
]


@dataclass(frozen=True)
class SwapTest:
    """The exact one-sided binomial test of "more answers than that are moved" by a swap."""

    moved: Level = 0.2
    """Share of the answers that a swap which works is taken to move,"""
    by_chance: Level = 0.05
    """against the share that any edit of that size moves."""
    alpha: Level = 0.01
    """Probability of finding an effect where there is none."""
    power: Level = 0.8
    """Probability of finding the effect without which a pair is not testable."""


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
    compare: list[ClassifierRef] = field(default_factory=list)
    """Other classifiers that label the same evidence, for the tables `compared` and `agreement`."""
    permutations: NonNegativeInt = 5
    """How often everything is labelled again, by every classifier, with the concepts of problems
    exchanged."""
    matched: NonNegativeInt = 5
    """How often everything is labelled again with the activations of every feature moved to random
    problems: features of the same frequency and strength that know of nothing."""
    strata: list[str] = field(default_factory=lambda: ["n_steps"])
    """Columns of the problems. Concepts are exchanged between problems that are alike in them, so
    that what goes with those columns stays; all but the concepts that the columns decide."""
    untrained: bool = False
    """Whether everything before this step is also run with random weights in place of the model's,
    and the features found there are labelled."""
    sae_seeds: NonNegativeInt = 0
    """How many more SAEs are trained, with other seeds, to see which features come again."""
    swaps: SwapTest = SwapTest()
    """What it takes for a swap of two features to be testable, for the table `swap_pairs`."""


@dataclass(frozen=True)
class EnrichmentParams:
    """When an association is strong, certain and specific enough to be a label."""

    alpha: Level = 0.01
    """False-discovery rate: of what either half of the problems finds, and of what the other half
    of them confirms, both ways taken together."""
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
    sets: Literal["active", "top", "quantile"] = "active"
    """Which problems of a feature are looked at: all on which it is active, or only the `top` or
    the `quantile` of largest |activation|. They are chosen in each half of the problems by itself;
    everything said of active problems is then said of those."""
    top: PositiveInt = 100
    """How many problems `sets: top` looks at, half of them from either half of the problems."""
    quantile: Share = 0.1
    """The share of a feature's active problems that `sets: quantile` looks at."""
    max_p: Share = 1.0
    """Associations with a larger p are left out of the table `associations`, which is otherwise as
    long as there are features times concepts; they are tested, and count for q, all the same."""


@dataclass(frozen=True)
class ProbeParams:
    """When a feature that a sparse probe uses is labelled with the concept of the probe."""

    alpha: Level = 0.01
    """False-discovery rate of the features used, on the half on which no probe was fitted."""
    min_support: PositiveInt = 20
    """Active problems without which a feature takes part in no probe; also the problems with a
    concept, and without it, below which there is no probe for it."""
    min_auroc: Auroc = 0.6
    """Smallest effect that makes a label: of two problems that differ in |activation|, one with the
    concept and one without, how often the one with it has the larger |activation|."""
    strata: list[str] = field(default_factory=lambda: ["n_steps"])
    """Columns of the problems. Only problems that are alike in them are compared: a feature of long
    problems is not one of everything that long problems contain."""
    folds: Folds = 3
    """Into how many parts the fitting half is cut, to choose the penalty by cross-validation."""


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


@dataclass(frozen=True)
class TaxonomyParams:
    """How often a concept must occur to be a pattern; no test, no base rate."""

    top: PositiveInt = 100
    """How many problems of largest |activation| are looked at."""
    min_pattern: PositiveInt = 3
    """In so many of them a concept must hold to be a pattern,"""
    min_value: PositiveInt = 5
    """and in so many where its kind is `value`."""
    operation_level: list[str] = field(default_factory=lambda: ["operation"])
    """Kinds of concepts that speak of operations,"""
    value_level: list[str] = field(default_factory=lambda: ["value"])
    """and kinds that speak of values; concepts of other kinds are not looked at."""


@dataclass(frozen=True)
class LinearProbe:
    """Which numbers of a problem are read off its residuals."""

    targets: Annotated[list[Target], Meta(min_length=1)] = field(
        default_factory=lambda: ["first-result", "second-result", "answer"]
    )
    """Results are intermediate ones: a problem has a `second-result` if it has a third step."""
