"""A small registry with every shape of component, so that tests know what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from studyrun import verdicts
from studyrun.contracts import CheckScope, Component, Fault, ModelFacts
from studyrun.params import (
    ClassifierRef,
    ConceptRef,
    FilePath,
    Fraction,
    NonNegativeInt,
    NoParams,
    PositiveFloat,
    PositiveInt,
    RankRange,
)
from studyrun.plugging.plugins import PluginInfo, new_manager
from studyrun.registry import Registry


@dataclass(frozen=True)
class ToyModel:
    """A model."""

    checkpoint: FilePath = "builtin:toy"
    """Its weights."""


@dataclass(frozen=True)
class Numbers:
    """Data."""

    n: PositiveInt = 10
    share: Fraction = 0.5


@dataclass(frozen=True)
class Read:
    """Activations."""

    layers: list[NonNegativeInt]
    """Layers to read."""
    positions: list[int | str] = field(default_factory=lambda: [0])
    fast: bool = False


@dataclass(frozen=True)
class Fit:
    """An SAE."""

    k: PositiveInt
    """Active features per row."""
    lr: PositiveFloat = 1e-3
    activation: Literal["topk", "relu"] = "topk"

    def __post_init__(self):
        if self.k == 13:
            raise ValueError("k cannot be 13")


@dataclass(frozen=True)
class Name:
    """Labels."""

    classifier: ClassifierRef = "plain"
    concepts: list[ConceptRef] = field(default_factory=list)
    ranks: list[RankRange] = field(default_factory=list)


@dataclass(frozen=True)
class Choice:
    """Which features."""

    top: PositiveInt | None = None
    """The most frequent ones."""
    ids: list[int] | None = None


@dataclass(frozen=True)
class Edit:
    """Effects."""

    features: Choice = field(default_factory=Choice)
    """Whose effects."""
    pairs: Literal["auto"] | list[list[int]] = "auto"
    scale: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Strict:
    """A classifier that must be told its level."""

    alpha: Fraction


@dataclass(frozen=True)
class Contains:
    """A concept."""

    values: list[int]


def facts(params: ToyModel) -> ModelFacts:
    if params.checkpoint.endswith("gone"):
        raise FileNotFoundError(2, "no such file", params.checkpoint)
    return ModelFacts("toy", "0" * 64, n_layers=4, d_model=8, positions=(0, 1, 2))


def check_read(params: Read, scope: CheckScope) -> Iterator[Fault]:
    for index, layer in enumerate(params.layers):
        if scope.model is not None and layer >= scope.model.n_layers:
            allowed = tuple(map(str, range(scope.model.n_layers)))
            yield Fault(("layers", index), f"the model has no layer {layer}", allowed)


def check_fit(params: Fit, scope: CheckScope) -> Iterator[Fault]:
    read = [step.params for step in scope.steps.values() if step.component.name == "read"]
    if params.k > 8 * sum(len(each.layers) for each in read) > 0:
        yield Fault(("k",), "k is more than the activations have")


def check_contains(params: Contains, scope: CheckScope) -> Iterator[Fault]:
    if not params.values:
        yield Fault(("values",), "names no value")


def check_crash(params: NoParams, scope: CheckScope) -> Iterator[Fault]:
    raise ZeroDivisionError("the check divides by zero")


def component(kind, name, params=NoParams, **rest) -> Component:
    return Component(kind, name, "1", params, "study_toys:facts", **rest)


STEPS = (
    component(
        "step",
        "read",
        Read,
        takes=("problems", "model"),
        makes="activations",
        check="study_toys:check_read",
    ),
    component(
        "step", "fit", Fit, takes=("activations",), makes="sae", check="study_toys:check_fit"
    ),
    component("step", "code", takes=("activations", "sae"), makes="feature-acts"),
    component("step", "name", Name, takes=("feature-acts", "problems"), makes="labels"),
    component(
        "step", "edit", Edit, takes=("sae", "feature-acts", "labels?", "model?"), makes="effects"
    ),
    component("step", "tell", takes=("study", "*"), makes="report", summary="tells everything"),
    component("step", "crash", makes="nothing", check="study_toys:check_crash"),
)
OTHERS = (
    component("model", "toy", ToyModel, facts="study_toys:facts"),
    component("data", "numbers", Numbers, makes="problems"),
    component("classifier", "plain"),
    component("classifier", "strict", Strict),
    component("concept", "even"),
    component("concept", "contains", Contains, check="study_toys:check_contains"),
)


def registry(*broken: PluginInfo) -> Registry:
    core = PluginInfo(
        "studyrun",
        "1",
        "studyrun",
        "studyrun.verdicts",
        components=tuple(verdicts.studyrun_components()),
    )
    toys = PluginInfo("toys", "1.0", "study-toys", "study_toys", components=STEPS + OTHERS)
    return Registry(new_manager(), [core, toys, *broken])


STUDY = """\
study: toy
model: {use: toy}
data: {use: numbers, with: {n: 20}}
steps:
  acts: {use: read, with: {layers: [1, 2]}}
  sae: {use: fit, with: {k: 4}}
  features: {use: code}
  labels: {use: name}
  effects: {use: edit}
  report: {use: tell}
hypotheses:
  it-works:
    claim: It does.
    given: SELECT count(*) > 0 FROM labels
    expect: SELECT avg(x) > 0.1 FROM effects
"""


def mistakes(file: str) -> list[tuple[dict[str, str], str]]:
    """The cases of a text file: ({"line6": text}, what is said)."""
    cases, lines = [], {}
    for row in (Path(__file__).parent / file).read_text(encoding="utf-8").splitlines():
        number, bar, text = row.partition("|")
        if row.startswith("-> "):
            cases.append((lines, row.removeprefix("-> ")))
            lines = {}
        elif bar and number.isdigit():
            name = f"line{number}"
            lines[name] = f"{lines[name]}\n{text}" if name in lines else text
    return cases
