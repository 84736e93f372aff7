"""The step `steer`: a multiple of a direction is added to the residual (Turner et al. 2023).

A direction is a feature's decoder row, or the difference between the mean residuals of the problems
for which a predicate is true and of the others (Rimsky et al. 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor
from torch.nn.functional import normalize

from studyrun import Context, Inputs, Result, StudyError
from studyrun_intervene.choosing.choice import chosen_features
from studyrun_intervene.columns import STEERINGS
from studyrun_intervene.edits.differences import Dense
from studyrun_intervene.params import Steer
from studyrun_intervene.runs.by_feature import Edited
from studyrun_intervene.runs.collected import Questions
from studyrun_intervene.runs.running import Request, joined, run_effects, run_model, wide
from studyrun_intervene.surroundings import Surroundings, drawn, surroundings

__all__ = ["run"]


@dataclass(frozen=True, slots=True, eq=False)
class _Direction:
    name: str
    feature: int | None
    unit: Tensor
    """(d_model,)."""


def run(params: Steer, inputs: Inputs, context: Context) -> Result:
    """Effects by direction and scale.

    Raises:
        StudyError: no direction is named, or a predicate splits off no problems or all.
    """
    shared = surroundings(params.split, inputs, context)
    directions = [*_of_features(params, shared), *_of_predicates(params, shared)]
    if not directions:
        raise StudyError("steer: say in which direction, with `features` or `where`")
    asked = [(each, scale) for scale in params.scales for each in directions]
    unit = float(torch.linalg.vector_norm(shared.x, dim=1).mean())
    rows = drawn(len(shared.x), params.problems, context)
    problems = shared.problems[rows.tolist()]

    def values(edit: int, some: Tensor) -> Tensor:
        direction, scale = asked[edit]
        return (scale * unit * direction.unit).expand(len(some), -1)

    n = len(asked)
    everything = torch.cartesian_prod(torch.arange(n), torch.arange(len(rows)))
    effects = run_effects(params.effects, context)
    request = Request(
        layer=shared.layer,
        positions=[shared.position] * n,
        differences=Dense(everything[:, 0], everything[:, 1], values),
        edited=Edited(n, len(rows), [[] for _ in asked], [None] * n, {}),
        questions=Questions(problems, shared.answer_rule, [None] * len(rows)),
        effects=effects,
        controls=params.controls,
    )
    tables = run_model(request, context)
    table = pl.DataFrame(
        [(d.name, d.feature, s) for d, s in asked], STEERINGS.schema(), orient="row"
    )
    names = ", ".join(each.component.name for each in effects)
    table = joined(table, wide(tables["effects_by_feature"], effects, n), names)
    meta = {
        "split": params.split,
        "n": len(rows),
        "layer": shared.layer,
        "position": shared.position,
        "mean_norm": unit,
        "confidence": params.controls.confidence,
    }
    return Result(tables={"table": table, **tables}, meta=meta)


def _of_features(params: Steer, shared: Surroundings) -> Sequence[_Direction]:
    if params.features is None:
        return []
    W_dec, found = shared.sae.W_dec, []
    for edit in chosen_features(shared.features, params.features):
        name = " + ".join(f"feature {feature}" for feature in edit)
        direction = normalize(W_dec[list(edit)].sum(0), dim=0)
        found.append(_Direction(name, edit[0] if len(edit) == 1 else None, direction))
    return found


def _of_predicates(params: Steer, shared: Surroundings) -> Sequence[_Direction]:
    found = []
    for text in params.where:
        try:
            holds = shared.problems.select(pl.sql_expr(text)).to_series().cast(pl.Boolean)
        except pl.exceptions.PolarsError as error:
            raise StudyError(f"steer: where {text!r}: {error}") from error
        mask = torch.from_numpy(holds.fill_null(value=False).to_numpy().copy())
        if mask.all() or not mask.any():
            n = int(mask.sum())
            raise StudyError(f"steer: where {text!r} is true for {n} of {len(mask)} problems")
        difference = shared.x[mask].mean(0) - shared.x[~mask].mean(0)
        found.append(_Direction(text, None, normalize(difference, dim=0)))
    return found
