"""What a plugin announces (`Component`), and what steps must do and are given.

Nothing here imports torch or polars: a component is data, its target is imported when it runs.
The contract of models stands in `studyrun.models`, those of concepts, classifiers, interventions
and effects in `studyrun.analysis`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import torch

    from studyrun.artifacts import Artifact, Result
    from studyrun.edits import Read
    from studyrun.models import Model

__all__ = [
    "Absent",
    "Bound",
    "CheckScope",
    "Component",
    "Context",
    "Estimate",
    "Fault",
    "Inputs",
    "Job",
    "Kind",
    "Law",
    "Measure",
    "ModelFacts",
    "Position",
    "Step",
    "Variant",
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
    "section",
    "comparison",
]
Position = int | str


@dataclass(frozen=True, slots=True)
class Law:
    """What an intervention or a classifier promises; `studyrun.testing` tries to break it."""

    name: str
    """Of `studyrun.testing.LAWS`, e.g. `idempotent`, or of `CLASSIFIER_LAWS`, e.g. `support`."""
    parameter: str = ""
    """The parameter that the law speaks of (`identity-at`, `equals`, `support`, ...)."""
    value: float | None = None
    """The value of that parameter at which the law holds."""
    other: str = ""
    """The other intervention of an `equals` law."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that an effect gives for every edited run."""

    name: str
    """A column: lower case, joined by underscores, e.g. `kl`."""
    about: str
    """What it is and its unit."""
    by_place: bool = False
    """It is given for every place that states were read at, not once."""
    of: Literal["change", "outcome", "fact"] = "change"
    """A `change` is 0 where nothing changed, so that it has a noise floor and is compared with
    controls; an `outcome` is compared with controls too; a `fact` is only averaged."""


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
    variants: str = ""
    """Steps: `module:function` (params) -> Iterable[Variant], the steps before this one that it
    wants once more with something changed; light, never imports torch."""
    tables: str = ""
    """Steps and data: `module:function` (params) -> Mapping[str, Table], the columns of the tables
    that it stores, by name (`table` is the main one), so that SQL can be checked before anything
    runs; a table that is not told of is not checked. Light, never imports torch or polars."""
    estimate: str = ""
    """Steps and data: `module:function` (params, CheckScope) -> Estimate | None, what it will about
    take, for `studyrun plan`; None where nothing can be said. Light, never imports torch."""
    many: str = ""
    """Steps: `package.module:name` (Sequence[Job]) -> Iterable[tuple[int, Result]], several ready
    steps of this component at once, whatever cell of a matrix they belong to: each result as soon
    as it is there, with its job's number; it is what the target would give. A job that is left out
    is run by itself by `target`, so that its errors are told in its own name."""
    wants: str = ""
    """Steps: `module:function` (params) -> Iterable[str], the step components whose results it
    shows if they are there: one that the study has no step of, and whose inputs the study makes,
    is placed before it under its own name, with its defaults. Light, never imports torch."""
    shows: str = ""
    """Steps that make a `report`: `module:function` (files, run, cell) -> files by name, which a
    run's folder shows in place of those that are stored; given the stored ones, a copy of the
    run's record (`run.json`) so far with that matrix cell alone, and the cell's name. Called again
    when the run has ended. Light, never imports torch or polars."""
    laws: tuple[Law, ...] = ()
    """Interventions, classifiers: what is promised beyond the laws that bind them all."""
    arity: int = 1
    """Interventions: 1 edits a set of features, 2 an ordered pair."""
    reference: Literal["", "mean", "other"] = ""
    """Interventions: other feature activations that the target is given as a fourth argument
    (1 or rows, d_sae): every feature's `mean`, or those of an`other` problem for each row."""
    reads: tuple[Read, ...] = ()
    """Effects: what is read of every edited run of the model; the target is then a `RunEffect`."""
    measures: tuple[Measure, ...] = ()
    """Effects that read runs: the quantities that the target gives for each."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A study with something changed: what a step wants to be compared with.

    Only the steps that the change reaches are run once more, as `<step>@<name>`.
    """

    name: str
    """Lower-case words joined by hyphens, e.g. `seed-1`."""
    model: Mapping[str, Any] = field(default_factory=dict)
    """Parameters replaced in the study's model."""
    steps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Artifact type -> parameters replaced in every earlier step that makes that type."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A component chosen by a study with its parameters resolved; `load()` imports the target."""

    component: Component
    params: Any
    load: Callable[[], Any]
    """Imports and returns the target; raises PluginError that names the owner."""
    owner: str = ""
    """How messages call the plugin that ships it: `clamp (studyrun-parity 0.1.0)`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A semantic fault that a component's `check` found inside its own `with`."""

    path: tuple[str | int, ...]
    """Where, relative to `with`, e.g. `("layers", 0)`."""
    message: str
    allowed: tuple[str, ...] = ()
    """The values that would have been right, if they can be listed."""
    within: str = ""
    """The piece of the text at `path` that is wrong, e.g. a column named in SQL."""


@dataclass(frozen=True, slots=True)
class Absent(Fault):
    """Found by a `check` where a download or an installation is missing, not where a name is wrong.

    `studyrun check` warns of it and accepts the study, `plan` shows what it blocks. The message
    says how to get it, and so must the StudyError that `digest` or `facts` raises meanwhile.
    """


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
    block_parameters: int | None = None
    """Weights of one block, on average, for estimates; None where nobody counted them."""


@dataclass(frozen=True, slots=True)
class CheckScope:
    """What a `check` and an `estimate` may look at: the study around the step."""

    model: ModelFacts | None = None
    """Of the study's model, as far as it can be read."""
    steps: Mapping[str, Bound] = field(default_factory=dict)
    """Earlier steps, by name, with their parameters."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Artifact type -> the one of `steps` from which the step takes it."""
    no_model: bool = False
    """Whether the study names none, for a `check`; `model` is also None of one that is absent."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a step will about take; right within a small factor is good enough."""

    flops: float = 0.0
    """Floating-point operations, from which a plan makes seconds; 0: nothing is said of time."""
    bytes: int = 0
    """Peak memory beyond what is loaded (the model, the inputs); 0: nothing is said of it."""
    note: str = ""
    """How it was come by: `512 features x 200 problems, about 6,400 edited runs`."""


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What a step is given: artifacts by type, and every earlier one by step name."""

    by_type: Mapping[str, Artifact]
    by_step: Mapping[str, Artifact] = field(default_factory=dict)
    """Filled for steps that take `"*"`, in study order."""
    study: Mapping[str, Any] = field(default_factory=dict)
    """The resolved study, for steps that take `"study"`."""
    variants: Mapping[str, Mapping[str, Artifact]] = field(default_factory=dict)
    """Variant name -> artifact type -> artifact, for every type that the step takes; what a
    variant does not reach is the study's own."""

    def __getitem__(self, type_name: str) -> Artifact:
        """The artifact of that type; KeyError if the step did not declare that it takes it."""
        return self.by_type[type_name]

    def get(self, type_name: str) -> Artifact | None:
        """The artifact of an optional type, or None where the study has none."""
        return self.by_type.get(type_name)


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One of several steps of a component that are computed at once: what its target is given."""

    params: Any
    inputs: Inputs
    context: Context
    """Its own notes, folders and model. Of bars one is shown at a time, so the bar of any job may
    stand for all."""


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
    def cache_bytes(self) -> int:
        """How much may be kept of a model's passes, so that they need not be made again."""

    @property
    def many_bytes(self) -> int:
        """How much memory many jobs may take together beyond what one takes (`Component.many`)."""

    @property
    def seed(self) -> int:
        """The study's seed."""

    def generator(self, purpose: str, seed: int | None = None) -> torch.Generator:
        """A CPU generator that depends only on the seed (None: the study's) and the purpose."""

    def model(self) -> Model:
        """The model that the step takes (the study's, or a variant's), loaded once and warm."""

    def bind(self, kind: Kind, ref: str | Mapping[str, Any]) -> Bound:
        """The component that a parameter names: `"name"`, `{use:, with:}` or `{name: {...}}`."""

    def components(self, kind: Kind) -> tuple[Component, ...]:
        """Every registered component of a kind, sorted by name."""

    def in_batches(
        self,
        work: Callable[[Sequence[int]], None],
        order: Sequence[int],
        *,
        label: str,
        unit: str = "problems",
        alike: Callable[[int], Hashable] | None = None,
        threads: int = 1,
    ) -> None:
        """Call `work` on consecutive pieces of `order`; halve and retry when memory runs out.

        A piece ends where `alike(row)` changes; `threads` pieces are worked on at the same time.
        """

    def track(self, items: Iterable[Any], *, total: int, label: str, unit: str) -> Iterable[Any]:
        """The items again, with a progress bar that appears after two seconds."""

    def whole(
        self, *, total: int, done: int, label: str, unit: str
    ) -> AbstractContextManager[None]:
        """One progress bar for everything of this unit that is counted inside.

        Args:
            total: items in all.
            done: of which an earlier run did so many.
            label: stands before the bar.
            unit: what is counted, as `in_batches` and `track` name it.
        """

    def note(self, message: str) -> None:
        """Write a line to the run's events, for the reader of the run."""

    def scratch(self) -> Path:
        """A folder that is this step's own while it runs and is removed afterwards."""

    def partial(self) -> Path:
        """A folder of this step's own that outlives a crash and is removed once it is stored.

        What is in it was put there by an earlier attempt with the same key and the same code; a
        step that finishes its work in pieces can go on from it. What it finds must be checked.
        """


class Step(Protocol):
    """kind `step`: a pure function of its parameters and inputs (device and progress aside)."""

    def __call__(self, params: Any, inputs: Inputs, context: Context) -> Result:
        """Compute the artifact."""
