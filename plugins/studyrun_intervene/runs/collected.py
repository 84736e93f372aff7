"""What effects say of edited runs, collected run by run while the model computes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import polars as pl
import torch
from torch import Tensor

from studyrun import (
    Asked,
    Bound,
    Context,
    Position,
    Read,
    Reading,
    Runs,
    SiteEdits,
    StudyError,
)
from studyrun_intervene.columns import NOISE

if TYPE_CHECKING:
    from studyrun import Replay
else:
    Replay = Any  # a protocol that cannot be checked when the tests check types

__all__ = ["Collected", "Quantity", "Questions", "collect", "noise", "reads_of"]

NOISE_ROWS = 64
"""Problems on which the noise floor is measured, at most."""
Quantity = tuple[str, str]
"""Measure and place; the place is empty for what is given once per run."""


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """The problems that a step runs through the model."""

    table: pl.DataFrame
    """`problem`, `question`, `answer`, one row each."""
    answer_rule: str
    expected: list[float | None]
    """The answers that an edit should bring about."""

    def asked(self, rows: Tensor, replay: Replay, targets: Tensor) -> Asked:
        """What is known of the questions of some runs."""
        known, numbers = self.table["answer"].to_list(), rows.tolist()
        return Asked(
            answers=[known[row] for row in numbers],
            expected=[self.expected[row] for row in numbers],
            targets=targets[rows],
            answer_rule=self.answer_rule,
            scores=replay.scores,
            token=replay.token,
        )


@dataclass(slots=True, eq=False)
class Collected:
    """Numbers and texts of `size` runs."""

    size: int
    values: dict[Quantity, Tensor] = field(default_factory=dict)
    """(runs,) float64; NaN where undefined."""
    texts: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Effect -> column -> a text per run."""
    lock: Any = field(default_factory=Lock)

    def put(self, effect: str, reading: Reading, runs: Runs) -> None:
        """Keep what an effect said of some runs."""
        for name, value in reading.values.items():
            places = [""] if value.ndim == 1 else [str(place) for place in runs.places]
            for place, column in zip(places, value.reshape(len(value), -1).T, strict=True):
                self._column((name, place))[runs.index] = column.double().cpu()
        for name, texts in reading.texts.items():
            kept = self._texts(effect, name)
            for index, text in zip(runs.index.tolist(), texts, strict=True):
                kept[index] = text

    def _column(self, quantity: Quantity) -> Tensor:
        with self.lock:
            if quantity not in self.values:
                self.values[quantity] = torch.full((self.size,), torch.nan, dtype=torch.float64)
            return self.values[quantity]

    def _texts(self, effect: str, name: str) -> list[str]:
        with self.lock:
            return self.texts.setdefault(effect, {}).setdefault(name, [""] * self.size)


def reads_of(effects: Sequence[Bound]) -> frozenset[Read]:
    """Everything that some effects read of a run."""
    return frozenset(read for each in effects for read in each.component.reads)


def collect(
    edits: SiteEdits, replay: Replay, questions: Questions, effects: Sequence[Bound]
) -> Collected:
    """What the effects say of every run, and `moved`, how far its residual was moved.

    Raises:
        StudyError: an effect says what its component did not announce, or another one says too.
    """
    _demand_distinct(effects)
    collected, targets = Collected(len(edits)), _targets(replay, questions)
    functions = [(each, each.load()) for each in effects]

    def receive(runs: Runs) -> None:
        asked = questions.asked(runs.questions, replay, targets)
        moved = Reading({"moved": runs.moved})
        collected.put("", moved, runs)
        for each, function in functions:
            reading = _said(each, function(runs, asked, each.params), runs)
            collected.put(each.component.name, reading, runs)

    replay.run(edits, reads_of(effects), receive)
    return collected


def _targets(replay: Replay, questions: Questions) -> Tensor:
    return replay.targets(questions.table["answer"].to_list())


def _demand_distinct(effects: Sequence[Bound]) -> None:
    """Nothing, if no two effects announce a measure of the same name."""
    known = {"moved"}
    for each in effects:
        for measure in each.component.measures:
            if measure.name in known:
                raise StudyError(
                    f"effect {each.component.name!r} measures {measure.name!r}, which is already "
                    "there"
                )
            known.add(measure.name)


def _said(effect: Bound, reading: Any, runs: Runs) -> Reading:
    """The reading, if it is what the component announced.

    Raises:
        StudyError: it is not.
    """
    told = {each.name: each for each in effect.component.measures}
    said = f"effect {effect.component.name!r}"
    if not isinstance(reading, Reading) or set(reading.values) != set(told):
        given = sorted(reading.values) if isinstance(reading, Reading) else type(reading).__name__
        raise StudyError(f"{said} announces {sorted(told)} and returned {given}")
    n, places = len(runs.index), len(runs.places)
    for name, value in reading.values.items():
        shape = (n, places) if told[name].by_place else (n,)
        if tuple(getattr(value, "shape", ())) != shape:
            found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise StudyError(f"{said}: {name!r} is {found}, and should be a tensor {shape}")
    for name, texts in reading.texts.items():
        if len(texts) != n:
            raise StudyError(f"{said} returned {len(texts)} texts {name!r} for {n} runs")
    return reading


def noise(
    replay: Replay,
    questions: Questions,
    effects: Sequence[Bound],
    position: Position,
    context: Context,
) -> pl.DataFrame:
    """The noise floor: what effects say where nothing is edited, replayed against run in full.

    Columns: quantity, place, n, largest, mean (of absolute values).
    """
    n = min(NOISE_ROWS, questions.table.height)
    rows, nothing = torch.arange(n), torch.zeros(n, dtype=torch.int64)
    d_model = context.model().facts.d_model
    edits = SiteEdits(rows, (position,), nothing, lambda runs: torch.zeros(len(runs), d_model))
    replayed = _kept(replay.run, edits, reads_of(effects))
    again = _kept(replay.rerun, edits, reads_of(effects))
    targets, collected = _targets(replay, questions), Collected(n)
    for row, runs in again.items():
        both = _beside(runs, replayed[row])
        asked = questions.asked(both.questions, replay, targets)
        for each in effects:
            collected.put(each.component.name, each.load()(both, asked, each.params), both)
    changes = {m.name for each in effects for m in each.component.measures if m.of == "change"}
    found = [
        (name, place, *_floor(values))
        for (name, place), values in sorted(collected.values.items())
        if name in changes
    ]
    return pl.DataFrame(found, NOISE.schema(), orient="row")


def _floor(values: Tensor) -> tuple[int, float | None, float | None]:
    from studyrun_intervene.statistics.noise import noise_floor

    known = values[values.isfinite()]
    if not len(known):
        return 0, None, None
    floor = noise_floor(known)
    return len(known), floor.largest, floor.mean


def _kept(run: Any, edits: SiteEdits, reads: Collection[Read]) -> Mapping[int, Runs]:
    """Every run by its number, alone."""
    kept: dict[int, Runs] = {}

    def receive(runs: Runs) -> None:
        for i, index in enumerate(runs.index.tolist()):
            kept[index] = _single(runs, i)

    run(edits, reads, receive)
    return kept


def _single(runs: Runs, i: int) -> Runs:
    def one(part: Any) -> Any:
        return None if part is None else part[i : i + 1]

    parts = ("index", "questions", "moved", "logits", "clean_logits", "answers", "clean_answers")
    changed = {name: one(getattr(runs, name)) for name in (*parts, "states", "clean_states")}
    return replace(runs, **changed)


def _beside(one: Runs, other: Runs) -> Runs:
    """A run, with another one as what it is compared with."""
    return replace(
        one,
        clean_logits=other.logits,
        clean_answers=other.answers,
        clean_states=other.states,
    )
