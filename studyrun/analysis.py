"""What concepts, classifiers, interventions and effects must do and are given.

Nothing here imports torch or polars; the core never calls these itself, the plugins' steps do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl
    from torch import Tensor

    from studyrun.contracts import Context, Position
    from studyrun.edits import Runs

__all__ = [
    "Asked",
    "Classification",
    "Classifier",
    "Concept",
    "ConceptSource",
    "Effect",
    "EffectCase",
    "Evidence",
    "Intervention",
    "Measurement",
    "Reading",
    "RunEffect",
]


@dataclass(frozen=True, slots=True, eq=False)
class Concept:
    """A yes/no property of a problem, as an expression over the problems' table."""

    name: str
    """As it appears in labels, e.g. `uses +`, `contains 12`, `* then +`."""
    kind: str
    """`operation`, `value` or `pattern` (third parties may add their own)."""
    expr: pl.Expr
    """Boolean, over the columns of the `problems` artifact."""
    parts: tuple[str, ...] = ()
    """The more general concepts that this one implies, by name."""


class ConceptSource(Protocol):
    """kind `concept`: (problems, params) -> the concepts it defines on them."""

    def __call__(self, problems: pl.DataFrame, params: Any) -> list[Concept]:
        """The concepts, in a stable order."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a classifier is given. `problem` is the row number in the problems' table."""

    problems: pl.DataFrame
    """The problems of the labelled split: the `problems` columns plus `problem` (u32)."""
    activations: pl.DataFrame
    """(problem, feature, activation), active pairs only, of that split."""
    features: pl.DataFrame
    """(feature, rank, n_active, frequency, mean_abs_activation), every feature, rank 1 first."""
    concepts: tuple[Concept, ...]
    membership: pl.DataFrame
    """(problem, concept u32): the pairs that hold; `concept` indexes `concepts`."""
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Classification:
    """What a classifier returns."""

    labels: pl.DataFrame
    """One row per feature: (feature, label, kind, verdict), and of (concept, n, n_with, rate,
    base_rate, lift, q, ci_low, ci_high, n_needed, ...) what it knows; the rest becomes null.

    `verdict` says how the label was come by; `untested` where a rule made it."""
    associations: pl.DataFrame
    """The numbers behind the labels, one row per feature and concept looked at."""


class Classifier(Protocol):
    """kind `classifier`: evidence in, labelled features with their tests out; pure."""

    def __call__(self, evidence: Evidence, params: Any) -> Classification:
        """The labels."""


class Intervention(Protocol):
    """kind `intervention`: a pure map of feature activations; must not change its input."""

    def __call__(self, z: Tensor, features: Tensor, params: Any) -> Tensor:
        """Z' of the same shape (rows, d_sae); `features` (n,) int64 says which columns.

        One whose component names a `reference` is given it as a fourth argument.
        """


@dataclass(frozen=True, slots=True, eq=False)
class EffectCase:
    """What an effect measures: one intervention at one site, edit by edit, on the same rows.

    An edit is the tuple of features that the intervention is given: one, or a pair.
    """

    problems: pl.DataFrame
    """The `problems` columns plus `problem` (u32), one row per row of `x` and `z`."""
    answer_rule: str
    """How the data says that a model's text states its answer, e.g. `last-number`."""
    x: Tensor
    """(rows, d_in): the residuals at the site."""
    z: Tensor
    """(rows, d_sae): their feature activations, before any edit."""
    W_dec: Tensor
    """(d_sae, d_in): x_hat(z') - x_hat(z) = (z' - z) @ W_dec."""
    layer: int
    position: Position
    intervene: Callable[[Tensor, Tensor], Tensor]
    """z' of (z, features): the intervention with its parameters already given."""
    featurewise: bool
    """It declares the law `featurewise`: all columns may be edited at once and read one by one."""
    edits: tuple[tuple[int, ...], ...]
    """What to measure, one row of the result each."""
    matched: tuple[tuple[tuple[int, ...], ...], ...]
    """For each edit, edits of other features alike in frequency and mean |activation|."""
    directions: int
    """How many random directions an effect compares with."""
    resamples: int
    """How many bootstrap samples of problems an interval rests on."""
    confidence: float
    """The coverage of every interval, e.g. 0.95."""


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """What an effect on the reconstruction returns."""

    table: pl.DataFrame
    """One row per edit, in the order of the case; each effect names its columns its own way."""
    evidence: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Tables behind the numbers, stored as `<step>_<effect>_<name>`; `edit` indexes the edits."""


class Effect(Protocol):
    """kind `effect` without `reads`: what the edits change outside the model, beside controls."""

    def __call__(self, case: EffectCase, params: Any, context: Context) -> Measurement:
        """Measure every edit of the case."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What is known of the questions behind some runs, in the order of the runs."""

    answers: list[float | None]
    """The right answers."""
    expected: list[float | None]
    """The answers that the edit should bring about, where the study says which."""
    targets: Tensor
    """(runs,) int64, the first token of the right answer; -1 where it is not known."""
    answer_rule: str
    """How the data says that a model's text states its answer, e.g. `last-number`."""
    scores: Callable[[Tensor], Tensor]
    """States after the final norm -> next-token scores: the logit lens."""
    token: Callable[[int], str]
    """The text of a token."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What an effect says of some runs."""

    values: Mapping[str, Tensor]
    """Measure -> (runs,), or (runs, places) for one that is given by place; NaN where undefined."""
    texts: Mapping[str, list[str]] = field(default_factory=dict)
    """Columns of evidence, a text per run, kept in the table `<step>_<effect>_outcomes`."""


class RunEffect(Protocol):
    """kind `effect` with `reads`: a pure function of edited runs and their clean ones.

    Means, intervals, controls, the noise floor and tests are made of its numbers by the step.
    """

    def __call__(self, runs: Runs, asked: Asked, params: Any) -> Reading:
        """The component's `measures` for each of the runs."""
