"""A study as values: what a validated document says, before any component is looked up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Hypothesis", "Runtime", "StepSpec", "Study", "Use"]


@dataclass(frozen=True, slots=True)
class Use:
    """A component that a study names, with the parameters it gives (defaults left out)."""

    use: str
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ref(self) -> dict[str, Any]:
        """`{use, with}`, as `Registry.bind` and `Context.bind` take it."""
        return {"use": self.use, "with": dict(self.given)}


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One entry of `steps`."""

    name: str
    use: Use
    needs: tuple[str, ...] | None = None
    """The steps it may take its inputs from (and theirs); None: any earlier one."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A claim written before the run, and the SQL that judges it."""

    name: str
    claim: str
    expect: str
    """SELECT of one yes or no: what was claimed."""
    given: str | None = None
    """SELECT of one yes or no: whether there is evidence enough; None asks for none."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """How a study is computed. Only `dtype` may change a result, and is part of every key."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the model's weights and activations."""
    batch_size: int | None = None
    """Rows at once; None: chosen, and halved when memory runs out."""
    threads: int | None = None
    """CPU threads; None: what the machine offers."""
    cache_bytes: int | None = None
    """What is kept of a model's passes for further edits; None: `context.CACHE_BYTES`."""
    many_bytes: int | None = None
    """What steps computed together may take beyond what one takes; None: half of what is free."""


@dataclass(frozen=True, slots=True)
class Study:
    """One study, or one cell of a study's matrix: everything that says what is computed."""

    name: str
    steps: tuple[StepSpec, ...]
    about: str = ""
    seed: int = 0
    model: Use | None = None
    data: Use | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    runtime: Runtime = Runtime()
    plugins: tuple[str, ...] = ()
    cell: str = ""
    """`k=16,layer=3`; empty for a study without a matrix."""
    axes: Mapping[str, Any] = field(default_factory=dict)
    """The cell's value on every axis."""
    folder: Path = Path()
    """What the study's relative paths are relative to."""

    @classmethod
    def from_plain(cls, document: Mapping[str, Any], folder: Path | None = None) -> Study:
        """The study of a valid document (one that `plain()` wrote, for example).

        Raises:
            KeyError, TypeError: the document was never validated.
        """
        matrix = document.get("cell") or {}
        return cls(
            name=document["study"],
            steps=tuple(_step(name, spec) for name, spec in document["steps"].items()),
            about=document.get("about", ""),
            seed=document.get("seed", 0),
            model=_use(document.get("model")),
            data=_use(document.get("data")),
            hypotheses=tuple(
                Hypothesis(name, **spec) for name, spec in document.get("hypotheses", {}).items()
            ),
            runtime=Runtime(**document.get("runtime", {})),
            plugins=tuple(document.get("plugins", ())),
            cell=matrix.get("name", ""),
            axes=matrix.get("axes", {}),
            folder=folder or Path(),
        )

    def plain(self) -> dict[str, Any]:
        """The resolved study as JSON values, in the order in which studies are written.

        It is itself a study, apart from `cell`, and holds no path of this machine but those that
        the study wrote.
        """
        values: dict[str, Any] = {"study": self.name, "about": self.about, "seed": self.seed}
        for section, use in (("model", self.model), ("data", self.data)):
            values |= {section: use.ref} if use else {}
        values["steps"] = {step.name: _plain_step(step) for step in self.steps}
        values["hypotheses"] = {each.name: _plain_hypothesis(each) for each in self.hypotheses}
        values["runtime"] = {
            name: getattr(self.runtime, name)
            for name in Runtime.__slots__
            if getattr(self.runtime, name) is not None
        }
        values["plugins"] = list(self.plugins)
        if self.cell:
            values["cell"] = {"name": self.cell, "axes": dict(self.axes)}
        return values


def _use(given: Mapping[str, Any] | None) -> Use | None:
    return Use(given["use"], given.get("with", {})) if given else None


def _step(name: str, spec: Mapping[str, Any]) -> StepSpec:
    needs = spec.get("needs")
    use = Use(spec["use"], spec.get("with", {}))
    return StepSpec(name, use, None if needs is None else tuple(needs))


def _plain_step(step: StepSpec) -> dict[str, Any]:
    return step.use.ref if step.needs is None else {**step.use.ref, "needs": list(step.needs)}


def _plain_hypothesis(hypothesis: Hypothesis) -> dict[str, Any]:
    values = {"claim": hypothesis.claim, "given": hypothesis.given, "expect": hypothesis.expect}
    return {name: value for name, value in values.items() if value is not None}
