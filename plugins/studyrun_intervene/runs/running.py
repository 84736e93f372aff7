"""A step's runs of the model: planned, computed, compared, and made into tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import torch

from studyrun import Bound, Context, Position, StudyError
from studyrun_intervene.columns import EFFECTS, NOISE, OUTCOMES, SUMMARY, TEXTS, wide_columns
from studyrun_intervene.edits.differences import Chosen, Differences, RandomDirections
from studyrun_intervene.params import Controls
from studyrun_intervene.runs.arms import EDIT, ELSEWHERE, RANDOM, Arm, Plan, next_to
from studyrun_intervene.runs.by_feature import Chances, Edited, SummaryTable, over_all_edits
from studyrun_intervene.runs.collected import Collected, Questions, collect, noise

__all__ = ["Request", "joined", "planned", "run_effects", "run_model", "stacked", "wide"]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What a step wants of the model."""

    layer: int
    positions: Sequence[Position]
    """Where each edit is made, those that serve as controls included."""
    differences: Differences
    edited: Edited
    questions: Questions
    effects: Sequence[Bound]
    controls: Controls


def run_model(request: Request, context: Context) -> Mapping[str, pl.DataFrame]:
    """The tables `effects`, `effects_by_feature`, `noise` and `<effect>_outcomes`."""
    questions, effects, edited = request.questions, request.effects, request.edited
    if not edited.n:
        empty = {"effects": EFFECTS, "effects_by_feature": SUMMARY, "noise": NOISE}
        told = {name: table.schema().to_frame() for name, table in empty.items()}
        return told | _no_outcomes(effects)
    asked = questions.table["question"].to_list()
    replay = context.model().replay(asked, request.layer, context)
    if replay.note:
        context.note(f"edits are {replay.note}")
    plan = planned(request, context)
    collected = collect(plan.site_edits(), replay, questions, effects)
    floors = noise(replay, questions, effects, _earliest(request.positions), context)
    generator = context.generator("chances of effects")
    chances = Chances.drawn(edited.problems, request.controls, generator)
    measures = [measure for each in effects for measure in each.component.measures]
    table = SummaryTable(plan, collected, edited, request.controls, chances)
    return {
        "effects": _long(plan, collected, questions, edited.n),
        "effects_by_feature": table.all_of(measures, floors),
        "noise": floors,
        **_no_outcomes(effects),
        **_outcomes(plan, collected, questions, edited.n),
    }


def planned(request: Request, context: Context) -> Plan:
    """The edits' runs, and those of the edits asked for in random directions and elsewhere."""
    differences, controls = request.differences, request.controls
    arms = [Arm(EDIT, differences, request.positions)]
    facts = context.model().facts
    own = Chosen(differences, (differences.edit < request.edited.n).nonzero()[:, 0])
    if controls.random:
        generator = context.generator("random directions of runs")
        turned = RandomDirections.drawn_for(own, facts.d_model, generator)
        arms.append(Arm(RANDOM, turned, request.positions))
    if controls.elsewhere is not None:
        others = _elsewhere(request.positions, controls.elsewhere, facts.positions)
        moved = torch.tensor(
            [other != p for other, p in zip(others, request.positions, strict=True)]
        )
        there = moved[own.edit].nonzero()[:, 0]
        arms.append(Arm(ELSEWHERE, Chosen(own, there), others))
    return Plan(tuple(arms))


def _earliest(positions: Sequence[Position]) -> Position:
    """The position that most places come after."""
    thoughts = [position for position in positions if isinstance(position, int)]
    return min(thoughts) if len(thoughts) == len(positions) else positions[0]


def _elsewhere(
    positions: Sequence[Position], wanted: Position, known: tuple[int, ...] | None
) -> list[Position]:
    """Another position for each; the same where there is no other."""
    if wanted != "next":
        return [wanted] * len(positions)
    others = [next_to(position, known) for position in positions]
    return [p if o is None else o for o, p in zip(others, positions, strict=True)]


def _long(plan: Plan, collected: Collected, questions: Questions, n: int) -> pl.DataFrame:
    frame = _runs(plan, questions).with_columns(index=pl.int_range(pl.len()))
    frame = frame.filter(pl.col("edit") < n)
    index = torch.from_numpy(frame["index"].to_numpy().copy())
    schema = EFFECTS.schema()
    parts = [schema.to_frame()]
    for (quantity, place), values in sorted(collected.values.items()):
        part = frame.with_columns(
            quantity=pl.lit(quantity),
            place=pl.lit(place),
            value=pl.Series(values[index].numpy()).fill_nan(None),
        )
        if place:
            part = part.drop_nulls("value")  # thoughts before an edit are not read
        parts.append(part.select(schema.names()).cast(schema))
    return pl.concat(parts)


def _runs(plan: Plan, questions: Questions) -> pl.DataFrame:
    """`edit`, `problem` and `arm` of every run."""
    arms = [arm.name for arm in plan.arms for _ in range(len(arm.differences.edit))]
    row = plan.row.numpy()
    return pl.DataFrame(
        {"edit": plan.edit.numpy(), "problem": questions.table["problem"].gather(row), "arm": arms},
        {"edit": pl.UInt32, "problem": pl.UInt32, "arm": pl.String},
    )


def _outcomes(
    plan: Plan, collected: Collected, questions: Questions, n: int
) -> dict[str, pl.DataFrame]:
    """For every effect with texts a table of them."""
    row = plan.row.tolist()
    frame = _runs(plan, questions).with_columns(
        answer=questions.table["answer"].gather(row).cast(pl.Float64),
        expected=pl.Series([questions.expected[each] for each in row], dtype=pl.Float64),
    )
    return {
        _outcomes_of(effect): frame.with_columns(
            pl.Series(name, column) for name, column in texts.items()
        ).filter(pl.col("edit") < n)
        for effect, texts in collected.texts.items()
    }


def _no_outcomes(effects: Sequence[Bound]) -> dict[str, pl.DataFrame]:
    """The same of the built-in effects, empty, for where nothing is run."""
    names = [each.component.name for each in effects]
    return {
        _outcomes_of(name): pl.DataFrame(
            schema={**OUTCOMES.schema(), **dict.fromkeys(TEXTS[name], pl.String)}
        )
        for name in names
        if name in TEXTS
    }


def _outcomes_of(effect: str) -> str:
    return f"{effect.replace('-', '_')}_outcomes"


def stacked(
    parts: Sequence[Mapping[str, pl.DataFrame]], edits: int, alpha: float
) -> dict[str, pl.DataFrame]:
    """The tables of several calls of `run_model`, each of `edits` edits, numbered on."""
    tables: dict[str, pl.DataFrame] = {}
    for name in parts[0]:
        tables[name] = pl.concat(
            part[name].with_columns(pl.col("edit") + number * edits)
            if "edit" in part[name].columns
            else part[name]
            for number, part in enumerate(parts)
        )
    noise = tables["noise"]
    worst = noise.group_by("quantity", "place", maintain_order=True).agg(
        pl.col("n").sum(), pl.col("largest").max(), pl.col("mean").mean()
    )
    summary = over_all_edits(tables["effects_by_feature"], alpha)
    return {**tables, "effects_by_feature": summary, "noise": worst.select(noise.columns)}


def wide(summary: pl.DataFrame, effects: Sequence[Bound], edits: int) -> pl.DataFrame:
    """What stands in the main table: for each quantity its mean, interval, control and q-value."""
    columns: dict[str, pl.Series] = {}
    every = pl.DataFrame({"edit": range(edits)}, {"edit": pl.UInt32})
    for measure in (m for each in effects for m in each.component.measures if not m.by_place):
        own = summary.filter(pl.col("quantity") == measure.name)
        found = every.join(own, on="edit", how="left", maintain_order="left")
        sources = ("value", "ci_low", "ci_high", "random_size", "random_q", "verdict")
        names = (name for name, _ in wide_columns(measure.name, measure.of))
        columns |= {name: found[source] for name, source in zip(names, sources, strict=False)}
    run = summary.filter((pl.col("quantity") == "moved") & (pl.col("place") == ""))
    found = every.join(run, on="edit", how="left", maintain_order="left")
    head = {"n_run": found["n"].fill_null(0), "moved": found["value"]}
    return pl.DataFrame(head | columns)


def joined(table: pl.DataFrame, measured: pl.DataFrame, effect: str) -> pl.DataFrame:
    """The table with the effect's columns.

    Raises:
        StudyError: the effect did not measure every edit once, or uses a column that is taken.
    """
    if measured.height != table.height:
        raise StudyError(
            f"effect {effect!r} returned {measured.height} rows for {table.height} edits"
        )
    taken = sorted(set(table.columns) & set(measured.columns))
    if taken:
        raise StudyError(f"effect {effect!r} has a column {taken[0]!r}, which is already there")
    return table.hstack(measured)


def run_effects(refs: Sequence[Any], context: Context) -> list[Bound]:
    """The effects that a step without an SAE measures.

    Raises:
        StudyError: one of them reads no runs of the model.
    """
    effects = [context.bind("effect", ref) for ref in refs]
    for each in effects:
        if not each.component.reads:
            raise StudyError(
                f"effect {each.component.name!r} reads nothing of the model, and no SAE has a part "
                "in this edit"
            )
    return effects
