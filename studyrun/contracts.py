"""What a plugin announces (`Component`) and what each kind of target must do (the Protocols).

Nothing here imports torch or polars: a component is data, its target is imported when it runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import polars as pl
    import torch
    from torch import Tensor

    from studyrun.artifacts import Artifact, Result

__all__ = [
    "Bound",
    "CheckScope",
    "Classification",
    "Classifier",
    "Component",
    "Concept",
    "ConceptSource",
    "Context",
    "Effect",
    "EffectCase",
    "Evidence",
    "Fault",
    "Inputs",
    "Intervention",
    "Kind",
    "Law",
    "Measurement",
    "Model",
    "ModelFacts",
    "Position",
    "SiteEdit",
    "Step",
]

Kind = Literal[
    "model",
    "data",
    "step",
    "concept",
    "classifier",
    "intervention",
    "effect",
    "sae-format",
    "artifact",
    "executor",
]
Position = int | str


@dataclass(frozen=True, slots=True)
class Law:
    """An equation that an intervention promises; `studyrun.testing` tries to break it."""

    name: str
    """One of `studyrun.testing.LAWS`, e.g. `idempotent`, `identity-at`, `equals`."""
    parameter: str = ""
    """The parameter that the law speaks of (`identity-at`, `equals`, `multiplicative`)."""
    value: float | None = None
    """The value of that parameter at which the law holds."""
    other: str = ""
    """The other intervention of an `equals` law."""


@dataclass(frozen=True, slots=True)
class Component:
    """The record that announces one usable thing: data only, nothing heavy is imported.

    `takes` names artifact types (`"activations"`; `"labels?"` is optional; `"*"` is every
    earlier artifact; `"model"` and `"study"` stand for the study's model and its own record).
    """

    kind: Kind
    """What the target is; decides its Protocol."""
    name: str
    """What a study writes after `use:`."""
    version: str
    """Declared by hand, part of every key: raise it when results change."""
    params: type
    """A frozen dataclass: the one source of schema, defaults, docs and typed values."""
    target: str
    """`package.module:name`, imported only when it runs."""
    summary: str = ""
    """One line for `studyrun plugins`."""
    takes: tuple[str, ...] = ()
    """Steps: the artifact types needed, in order."""
    makes: str = ""
    """Steps and data: the artifact type produced."""
    check: str = ""
    """`module:function` (params, CheckScope) -> Iterable[Fault]; light, never imports torch."""
    digest: str = ""
    """`module:function` (params) -> str: content digest of files outside the study; light."""
    facts: str = ""
    """Models: `module:function` (params) -> ModelFacts; light, reads configuration only."""
    serves: str = ""
    """Steps: this step is the template of a step for every component of that kind."""
    laws: tuple[Law, ...] = ()
    """Interventions: what is promised beyond the laws that bind them all."""
    arity: int = 1
    """Interventions: 1 edits a set of features, 2 an ordered pair."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A component chosen by a study with its parameters resolved; `load()` imports the target."""

    component: Component
    params: Any
    load: Callable[[], Any]
    """Imports and returns the target; raises PluginError that names the owner."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A semantic fault that a component's `check` found inside its own `with`."""

    path: tuple[str | int, ...]
    """Where, relative to `with`, e.g. `("layers", 0)`."""
    message: str
    allowed: tuple[str, ...] = ()
    """The values that would have been right, if they can be listed."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model without loading it."""

    name: str
    digest: str
    """sha256 over the weights' and the configuration's bytes, never their path."""
    n_layers: int
    d_model: int
    positions: tuple[int, ...] | None = None
    """The positions that exist (CODI: 0..T), or None where they depend on the prompt."""


@dataclass(frozen=True, slots=True)
class CheckScope:
    """What a `check` may look at: the study around the step."""

    model: ModelFacts | None = None
    steps: Mapping[str, Bound] = field(default_factory=dict)
    """Earlier steps, by name, with their parameters."""


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What a step is given: artifacts by type, and every earlier one by step name."""

    by_type: Mapping[str, Artifact]
    by_step: Mapping[str, Artifact] = field(default_factory=dict)
    """Filled for steps that take `"*"`, in study order."""
    study: Mapping[str, Any] = field(default_factory=dict)
    """The resolved study, for steps that take `"study"`."""

    def __getitem__(self, type_name: str) -> Artifact:
        """The artifact of that type; KeyError if the step did not declare that it takes it."""
        return self.by_type[type_name]

    def get(self, type_name: str) -> Artifact | None:
        """The artifact of an optional type, or None where the study has none."""
        return self.by_type.get(type_name)


@runtime_checkable
class Context(Protocol):
    """The shared, warm surroundings of a run; one per process, handed to every step."""

    @property
    def device(self) -> torch.device:
        """Where tensors live (`auto` already decided)."""

    @property
    def dtype(self) -> torch.dtype:
        """The study's floating-point type for model weights."""

    @property
    def seed(self) -> int:
        """The study's seed."""

    def generator(self, purpose: str) -> torch.Generator:
        """A CPU generator that depends only on the seed and the purpose."""

    def model(self) -> Model:
        """The study's model, loaded once and kept warm."""

    def bind(self, kind: Kind, ref: str | Mapping[str, Any]) -> Bound:
        """The component that a parameter names (`"enrichment"` or `{use:, with:}`)."""

    def components(self, kind: Kind) -> tuple[Component, ...]:
        """Every registered component of a kind, sorted by name."""

    def in_batches(
        self,
        work: Callable[[Sequence[int]], None],
        order: Sequence[int],
        *,
        label: str,
        unit: str = "problems",
    ) -> None:
        """Call `work` on consecutive pieces of `order`; halve and retry when memory runs out."""

    def track(self, items: Iterable[Any], *, total: int, label: str, unit: str) -> Iterable[Any]:
        """The items again, with a progress bar that appears after two seconds."""

    def note(self, message: str) -> None:
        """Write a line to the run's events, for the reader of the run."""

    def scratch(self) -> Path:
        """A folder that is this step's own while it runs and is removed afterwards."""


class Step(Protocol):
    """kind `step`: a pure function of its parameters and inputs (device and progress aside)."""

    def __call__(self, params: Any, inputs: Inputs, context: Context) -> Result:
        """Compute the artifact."""


@dataclass(frozen=True, slots=True, eq=False)
class SiteEdit:
    """A difference added to the residual stream at one site: x + delta."""

    layer: int
    position: Position
    delta: Tensor
    """(rows, d_model), one row per question, in the order of the questions."""


class Model(Protocol):
    """kind `model`: the target is a function (params, context) -> Model."""

    facts: ModelFacts

    def activations(
        self,
        questions: Sequence[str],
        layers: Sequence[int],
        positions: Sequence[Position],
        context: Context,
    ) -> Tensor:
        """Residuals after each block, (questions, layers, positions, d_model), float32, on CPU.

        A row does not depend on the other questions.

        Raises:
            QuestionsRefused: some cannot be taken; says why for each, by row, before computing.
        """

    def answers(
        self, questions: Sequence[str], context: Context, edit: SiteEdit | None = None
    ) -> list[str]:
        """Greedy answers as text, with `edit` applied exactly once per row at its site.

        Raises:
            QuestionsRefused: some cannot be taken; says why for each, by row, before computing.
        """


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
        """Z' of the same shape (rows, d_sae); `features` (n,) int64 says which columns."""


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
    """What an effect returns."""

    table: pl.DataFrame
    """One row per edit, in the order of the case; each effect names its columns its own way."""
    evidence: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Tables behind the numbers, stored as `<step>_<effect>_<name>`; `edit` indexes the edits."""


class Effect(Protocol):
    """kind `effect`: what the edits change, each beside its control."""

    def __call__(self, case: EffectCase, params: Any, context: Context) -> Measurement:
        """Measure every edit of the case."""
