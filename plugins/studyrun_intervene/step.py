"""The steps of interventions: choose edits, measure their effects, each beside its control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import polars as pl
from torch import Tensor

from studyrun import Bound, Context, EffectCase, Inputs, Measurement, Result, StudyError
from studyrun_extract.view import Activations
from studyrun_intervene.choice import PairChoice, auto_pairs, chosen_features, named_edits
from studyrun_intervene.features import feature_table
from studyrun_intervene.matching import matched_edits
from studyrun_intervene.params import EditFeatures, EditPairs
from studyrun_sae.artifacts import FeatureActs, SaeArtifact
from studyrun_sae.sae import SAE

__all__ = ["demand_same_site", "run_features", "run_pairs"]

Edits = list[tuple[int, ...]]


class Served(Protocol):
    """What the registry adds to the parameters of a derived step."""

    def served(self) -> dict[str, Any]:
        """The reference {use, with} of the intervention that this step runs."""


def run_features(params: EditFeatures, inputs: Inputs, context: Context) -> Result:
    """The effects of editing chosen features, one at a time."""
    surroundings = _surroundings(params, inputs, context)
    edits = chosen_features(surroundings.features, params.features)
    return _measured(params, edits, surroundings, context)


def run_pairs(params: EditPairs, inputs: Inputs, context: Context) -> Result:
    """The effects of editing pairs of features; none, with the reason, if no pair is found."""
    surroundings = _surroundings(params, inputs, context)
    if params.pairs == "auto":
        chosen = auto_pairs(inputs.get("labels"), surroundings.features, params.max_pairs)
    else:
        chosen = PairChoice(named_edits(surroundings.features, params.pairs))
    result = _measured(params, chosen.edits, surroundings, context)
    if not chosen.reason:
        return result
    context.note(chosen.reason)
    return replace(result, meta={**result.meta, "reason": chosen.reason})


@dataclass(frozen=True, slots=True, eq=False)
class _Surroundings:
    """What all edits of the step share."""

    problems: pl.DataFrame
    answer_rule: str
    x: Tensor
    z: Tensor
    sae: SAE
    features: pl.DataFrame


def _surroundings(
    params: EditFeatures | EditPairs, inputs: Inputs, context: Context
) -> _Surroundings:
    acts = cast(FeatureActs, inputs["feature-acts"])
    sae = cast(SaeArtifact, inputs["sae"]).load(context.device)
    demand_same_site(sae, acts.meta)
    split = None if params.split == "all" else params.split
    z = acts.dense(split).to(context.device)
    rows = acts.rows if split is None else acts.rows.filter(pl.col("split") == split)
    active = acts.table.join(rows.select("problem"), on="problem", how="semi")
    labels = inputs.get("labels")
    problems = inputs["problems"]
    table = problems.table.with_row_index("problem").cast({"problem": pl.UInt32})
    return _Surroundings(
        problems=rows.select("problem").join(table, on="problem", maintain_order="left"),
        answer_rule=problems.meta["answers"],
        x=_residuals(cast(Activations, inputs["activations"]), sae, rows["problem"]).to(z.device),
        z=z,
        sae=sae,
        features=feature_table(active, sae.d_sae, len(z), labels.table if labels else None),
    )


def _residuals(activations: Activations, sae: SAE, problems: pl.Series) -> Tensor:
    """The residuals of those problems, in their order."""
    assert sae.layer is not None
    assert sae.position is not None
    numbered = activations.table.select("problem").with_row_index("row")
    found = problems.to_frame().join(numbered, on="problem", maintain_order="left")["row"]
    x = activations.at(layer=sae.layer, position=sae.position)
    return x[found.cast(pl.Int64).to_torch()]


def demand_same_site(sae: SAE, meta: Mapping[str, Any]) -> None:
    """Nothing, if feature activations with that `meta` can be the SAE's.

    Raises:
        StudyError: they are of another site or width.
    """
    here, there = (sae.layer, sae.position), (meta["layer"], meta["position"])
    if here != there or sae.d_sae != meta["d_sae"]:
        raise StudyError(
            f"the SAE is of site {here} with {sae.d_sae} features, the feature activations of "
            f"site {there} with {meta['d_sae']}; say with `needs` which belong together"
        )


def _measured(
    params: EditFeatures | EditPairs, edits: Edits, shared: _Surroundings, context: Context
) -> Result:
    used = cast(Served, params).served()
    intervention = context.bind("intervention", used)
    case = _case(params, edits, intervention, shared)
    tables = {"table": _edit_table(case, shared.features, intervention.component.arity)}
    for ref in params.effects:
        bound = context.bind("effect", ref)
        name = bound.component.name
        measurement: Measurement = bound.load()(case, bound.params, context)
        tables["table"] = _joined(tables["table"], measurement.table, name)
        tables |= {f"{name}_{part}": table for part, table in measurement.evidence.items()}
    meta = {
        "intervention": used,
        "split": params.split,
        "n": len(case.z),
        "layer": case.layer,
        "position": case.position,
        "confidence": case.confidence,
    }
    return Result(tables=tables, meta=meta)


def _case(
    params: EditFeatures | EditPairs, edits: Edits, intervention: Bound, shared: _Surroundings
) -> EffectCase:
    change, controls, sae = intervention.load(), params.controls, shared.sae
    assert sae.layer is not None
    assert sae.position is not None
    return EffectCase(
        problems=shared.problems,
        answer_rule=shared.answer_rule,
        x=shared.x,
        z=shared.z,
        W_dec=sae.W_dec,
        layer=sae.layer,
        position=sae.position,
        intervene=lambda z, features: change(z, features, intervention.params),
        featurewise=any(law.name == "featurewise" for law in intervention.component.laws),
        edits=tuple(edits),
        matched=matched_edits(shared.features, edits, controls.matched),
        directions=controls.directions,
        resamples=controls.resamples,
        confidence=controls.confidence,
    )


def _edit_table(case: EffectCase, features: pl.DataFrame, arity: int) -> pl.DataFrame:
    """Which edit each row is: features with rank, label and kind, and how many rows it touches."""
    named = features.select("feature", "rank", "label", "kind", "mean_abs_activation")
    parts = []
    for place, suffix in enumerate(("", "_b")[:arity]):
        chosen = [edit[place] for edit in case.edits]
        part = named[chosen].rename({name: f"{name}{suffix}" for name in named.columns})
        parts.append(part)
    counts = [_n_active(case.z, edit) for edit in case.edits]
    numbers = {"n": [len(case.z)] * len(counts), "n_active": counts}
    parts.append(pl.DataFrame(numbers, dict.fromkeys(numbers, pl.UInt32)))
    return pl.concat(parts, how="horizontal")


def _n_active(z: Tensor, edit: Sequence[int]) -> int:
    """Rows on which one of the edited features is active."""
    return int((z[:, list(edit)] != 0).any(1).sum())


def _joined(table: pl.DataFrame, measured: pl.DataFrame, effect: str) -> pl.DataFrame:
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
