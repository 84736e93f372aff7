"""The steps of interventions: choose edits, measure their effects, each beside its controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import polars as pl
import torch
from torch import Tensor

from studyrun import Bound, Context, EffectCase, Inputs, Measurement, Result, StudyError
from studyrun_intervene.choosing.choice import PairChoice, chosen_features, chosen_pairs
from studyrun_intervene.choosing.matching import matched_edits
from studyrun_intervene.columns import FACTS
from studyrun_intervene.edits.differences import Differences, Joined, moved_by_edits
from studyrun_intervene.params import EditFeatures, EditPairs
from studyrun_intervene.runs.by_feature import Edited
from studyrun_intervene.runs.collected import Questions
from studyrun_intervene.runs.running import Request, joined, run_model, wide
from studyrun_intervene.surroundings import Surroundings, drawn, surroundings
from studyrun_intervene.swapping import Pair, Swapping, protocol

__all__ = ["run_features", "run_pairs"]

Edits = list[tuple[int, ...]]
Map = Callable[[Tensor, Tensor], Tensor]


class Served(Protocol):
    """What the registry adds to the parameters of a derived step."""

    def served(self) -> dict[str, Any]:
        """The reference {use, with} of the intervention that this step runs."""


def run_features(params: EditFeatures, inputs: Inputs, context: Context) -> Result:
    """The effects of editing chosen features, one at a time or in sets."""
    shared = surroundings(params.split, inputs, context)
    edits = chosen_features(shared.features, params.features)
    return _Editing(params, edits, shared, context).result()


def run_pairs(params: EditPairs, inputs: Inputs, context: Context) -> Result:
    """The effects of editing pairs of features; none, with the reason, if no pair is found.

    With the effect `answer`, the swap protocol's table besides.
    """
    shared = surroundings(params.split, inputs, context)
    chosen = chosen_pairs(inputs.get("labels"), shared.features, params)
    editing = _Editing(params, chosen.edits, shared, context)
    result = editing.result()
    tables = {**result.tables, **editing.protocol(chosen)}
    if chosen.reason:
        context.note(chosen.reason)
    meta = {**result.meta, "reason": chosen.reason} if chosen.reason else result.meta
    return replace(result, tables=tables, meta=meta)


@dataclass(frozen=True, slots=True, eq=False)
class _Editing:
    """One step's edits, at every scale."""

    params: EditFeatures | EditPairs
    edits: Edits
    shared: Surroundings
    context: Context

    def result(self) -> Result:
        """The tables: edits with their effects, and what these rest on."""
        effects = [self.context.bind("effect", ref) for ref in self.params.effects]
        of_runs = [each for each in effects if each.component.reads]
        others = [each for each in effects if not each.component.reads]
        tables = {"table": self._edit_table()}
        for each in others:
            self._measured(each, tables)
        if of_runs:
            found = self._run(of_runs)
            columns = wide(found["effects_by_feature"], of_runs, tables["table"].height)
            names = ", ".join(each.component.name for each in of_runs)
            tables["table"] = joined(tables["table"], columns, names)
            tables |= found
        return Result(tables=tables, meta=self._meta())

    def _meta(self) -> dict[str, Any]:
        params = self.params
        return {
            "intervention": cast(Served, params).served(),
            "split": params.split,
            "n": len(self.shared.z),
            "layer": self.shared.layer,
            "position": self.shared.position,
            "scales": params.scales,
            "confidence": params.controls.confidence,
        }

    # The intervention

    def _bound(self) -> Bound:
        return self.context.bind("intervention", cast(Served, self.params).served())

    def _map(self, rows: Tensor | None, scale: float) -> Map:
        """Z' of (z, features), for the given rows of the split (all of them: None), scaled.

        A scale s makes z + s (z' - z).
        """
        bound = self._bound()
        change = bound.load()
        more = self._reference(bound, rows)

        def scaled(z: Tensor, features: Tensor) -> Tensor:
            edited: Tensor = change(z, features, bound.params, *more)
            return edited if scale == 1 else z + scale * (edited - z)

        return scaled

    def _reference(self, bound: Bound, rows: Tensor | None) -> list[Tensor]:
        """The feature activations that the intervention is given beside z, if any."""
        z = self.shared.z
        if bound.component.reference == "mean":
            return [z.mean(0, keepdim=True)]
        if bound.component.reference == "other":
            others = _another(len(z), self.context.generator("other problems"))
            return [z[others if rows is None else others[rows]]]
        return []

    def _featurewise(self) -> bool:
        return any(law.name == "featurewise" for law in self._bound().component.laws)

    # The reconstruction

    def _measured(self, effect: Bound, tables: dict[str, pl.DataFrame]) -> None:
        """Add what an effect outside the model measures."""
        name = effect.component.name
        parts: list[Measurement] = [
            effect.load()(self._case(scale), effect.params, self.context)
            for scale in self.params.scales
        ]
        table = pl.concat([part.table for part in parts])
        tables["table"] = joined(tables["table"], table, name)
        for part in parts[0].evidence:
            numbered = [_numbered_on(m.evidence[part], i, self.edits) for i, m in enumerate(parts)]
            tables[f"{name}_{part}"] = pl.concat(numbered)

    def _case(self, scale: float) -> EffectCase:
        shared, controls = self.shared, self.params.controls
        return EffectCase(
            problems=shared.problems,
            answer_rule=shared.answer_rule,
            x=shared.x,
            z=shared.z,
            W_dec=shared.sae.W_dec,
            layer=shared.layer,
            position=shared.position,
            intervene=self._map(None, scale),
            featurewise=self._featurewise(),
            edits=tuple(self.edits),
            matched=matched_edits(shared.features, self.edits, controls.matched),
            directions=controls.directions,
            resamples=controls.resamples,
            confidence=controls.confidence,
        )

    # The model

    def _run(self, effects: Sequence[Bound]) -> Mapping[str, pl.DataFrame]:
        shared, params = self.shared, self.params
        rows = drawn(len(shared.z), params.problems, self.context)
        every = _with_controls(self._scaled(), self._matched())
        z = shared.z[rows.to(shared.z.device)]
        parts = [
            moved_by_edits(
                z,
                shared.sae.W_dec,
                self._map(rows, scale),
                [edit for edit, other in every.edits if other == scale],
                featurewise=self._featurewise(),
            )
            for scale in every.scales
        ]
        problems = shared.problems[rows.tolist()]
        edited = Edited(
            n=len(self._scaled()),
            problems=len(rows),
            matched=every.matched,
            concepts=self._concepts(),
            holds=shared.holds(problems["problem"]),
        )
        questions = Questions(problems, shared.answer_rule, [None] * len(rows))
        request = Request(
            layer=shared.layer,
            positions=[shared.position] * len(every.edits),
            differences=every.together(parts),
            edited=edited,
            questions=questions,
            effects=effects,
            controls=params.controls,
        )
        return run_model(request, self.context)

    def _scaled(self) -> list[tuple[tuple[int, ...], float]]:
        """Every edit at every scale, in the order of the main table."""
        return [(edit, scale) for scale in self.params.scales for edit in self.edits]

    def _matched(self) -> list[list[tuple[tuple[int, ...], float]]]:
        """For each of them its controls."""
        found = matched_edits(self.shared.features, self.edits, self.params.controls.matched)
        return [
            [(other, scale) for other in others] for scale in self.params.scales for others in found
        ]

    def _concepts(self) -> list[str | None]:
        known, arity = self.shared.features["concept"].to_list(), self._bound().component.arity
        return [known[edit[0]] if len(edit) <= arity else None for edit, _ in self._scaled()]

    def protocol(self, chosen: PairChoice) -> Mapping[str, pl.DataFrame]:
        """The swap protocol of every pair, if answers are read."""
        params = self.params
        assert isinstance(params, EditPairs)
        effects = [self.context.bind("effect", ref) for ref in params.effects]
        answers = [each for each in effects if each.component.name == "answer"]
        if not answers:
            return {}
        swapping = Swapping(
            shared=self.shared,
            intervene=self._map(None, 1.0),
            answer=answers[0],
            generate=self.context.bind("data", params.generate) if params.generate else None,
            test=params.test,
            confidence=params.controls.confidence,
            context=self.context,
        )
        if self._bound().component.reference == "other":
            return protocol(swapping, [], chosen.missing)  # problems that are made have no others
        pairs = zip(chosen.edits, chosen.concepts, strict=True)
        return protocol(swapping, [Pair(*each) for each in pairs], chosen.missing)

    # The edits

    def _edit_table(self) -> pl.DataFrame:
        """Which edit each row is: features, rank, label and kind, and how many rows it touches."""
        scaled, arity = self._scaled(), self._bound().component.arity
        named = self.shared.features.select(
            "feature", "rank", "label", "kind", "mean_abs_activation"
        )
        one = pl.lit(pl.Series([len(edit) == arity for edit, _ in scaled], dtype=pl.Boolean))
        parts = []
        for place, suffix in enumerate(("", "_b")[:arity]):
            part = named[[edit[place] for edit, _ in scaled]].select(pl.when(one).then(pl.all()))
            parts.append(part.rename({name: f"{name}{suffix}" for name in named.columns}))
        counts = {edit: _n_active(self.shared.z, edit) for edit in set(self.edits)}
        facts = {
            "features": [list(edit) for edit, _ in scaled],
            "scale": [scale for _, scale in scaled],
            "n": [len(self.shared.z)] * len(scaled),
            "n_active": [counts[edit] for edit, _ in scaled],
        }
        parts.append(pl.DataFrame(facts, FACTS.schema()))
        return pl.concat(parts, how="horizontal")


@dataclass(frozen=True, slots=True, eq=False)
class _Every:
    """The edits that are run: those asked for, then those that only serve as controls."""

    edits: list[tuple[tuple[int, ...], float]]
    matched: list[list[int]]
    """For each edit asked for, the numbers of its controls."""

    @property
    def scales(self) -> list[float]:
        """The different scales."""
        return list(dict.fromkeys(scale for _, scale in self.edits))

    def together(self, parts: Sequence[Differences]) -> Joined:
        """The runs of each scale's edits as runs of all edits."""
        numbers = [
            torch.tensor([i for i, (_, other) in enumerate(self.edits) if other == scale])
            for scale in self.scales
        ]
        return Joined.of(parts, numbers)


def _with_controls(
    asked: list[tuple[tuple[int, ...], float]],
    matched: list[list[tuple[tuple[int, ...], float]]],
) -> _Every:
    """Every edit once."""
    number = {edit: i for i, edit in reversed(list(enumerate(asked)))}
    edits = list(asked)
    for each in (edit for others in matched for edit in others):
        if each not in number:
            number[each] = len(edits)
            edits.append(each)
    return _Every(edits, [[number[edit] for edit in others] for others in matched])


def _another(rows: int, generator: torch.Generator) -> Tensor:
    """For each row another one: a random rotation of a random order.

    Raises:
        StudyError: there is only one row.
    """
    if rows < 2:
        raise StudyError("there is no other problem to take activations from")
    order = torch.randperm(rows, generator=generator)
    others = torch.empty_like(order)
    others[order] = order.roll(1)
    return others


def _numbered_on(evidence: pl.DataFrame, scale: int, edits: Edits) -> pl.DataFrame:
    """The evidence of the edits at one of the scales, as rows of the main table."""
    if "edit" not in evidence.columns:
        return evidence
    return evidence.with_columns(pl.col("edit") + scale * len(edits))


def _n_active(z: Tensor, edit: Sequence[int]) -> int:
    """Rows on which one of the edited features is active."""
    return int((z[:, list(edit)] != 0).any(1).sum())
