"""The step `portraits`: what every feature looks like, whatever it stands for."""

from __future__ import annotations

from typing import Any, cast

import polars as pl
from torch import Tensor

from studyrun import Artifact, Context, Inputs, LogitLens, NoModel, Result, StudyError
from studyrun_features.active import active_pairs, encoded
from studyrun_features.columns import PORTRAITS, TOKENS
from studyrun_features.directions import nearness
from studyrun_features.params import Portraits
from studyrun_features.samples import sampled
from studyrun_features.strengths import all_activations, histograms, strengths
from studyrun_features.tokens import tokens_of

__all__ = ["run"]

SITE = ("layer", "position", "d_sae")


def run(params: Portraits, inputs: Inputs, context: Context) -> Result:
    """Every feature's activations, samples, neighbours and tokens; null or no rows where none.

    Raises:
        StudyError: the SAE and the feature activations are of different sites or widths.
    """
    acts, W_dec = inputs["feature-acts"], _directions(inputs)
    rows = encoded(acts, params.split)
    active = active_pairs(acts.table, rows["problem"], acts.meta["d_sae"])
    near = nearness(W_dec.to(context.device), params.neighbours)
    seed = context.generator("samples of features").initial_seed()
    tokens, without = _tokens(params, W_dec, context)
    table = strengths(active, rows.height).join(
        near.nearest, on="feature", how="left", maintain_order="left"
    )
    return Result(
        tables={
            "table": table.select(*PORTRAITS.columns),
            "histogram": histograms(active, params.bins),
            "samples": sampled(active, rows, params.top, params.samples, seed),
            "neighbours": near.neighbours,
            "cosines": near.cosines,
            "activations": all_activations(active),
            "tokens": tokens,
        },
        meta=_meta(params, acts, rows.height, without),
    )


def _directions(inputs: Inputs) -> Tensor:
    """W_dec of the SAE that the feature activations are of."""
    sae, acts = inputs["sae"], inputs["feature-acts"]
    here, there = ([each.meta.get(name) for name in SITE] for each in (sae, acts))
    if here != there:
        raise StudyError(
            f"the SAE has (layer, position, features) {here}, the feature activations {there}; "
            "say with `needs` which belong together"
        )
    return sae.tensors()["W_dec"]


def _tokens(params: Portraits, W_dec: Tensor, context: Context) -> tuple[pl.DataFrame, str]:
    """`TOKENS`, and why it has no rows."""
    nothing = TOKENS.schema().to_frame()
    if not params.tokens:
        return nothing, "none were asked for"
    try:
        model = context.model()
    except NoModel:
        return nothing, "the study has no model"
    if not isinstance(model, LogitLens):
        return _noted(context, f"{model.facts.name} has no `unembed`")
    try:
        return tokens_of(cast(LogitLens, model), W_dec, params.tokens, context), ""
    except StudyError as error:
        return _noted(context, str(error))


def _noted(context: Context, reason: str) -> tuple[pl.DataFrame, str]:
    """No tokens; the run notes why."""
    context.note(f"no tokens of decoder directions: {reason}")
    return TOKENS.schema().to_frame(), reason


def _meta(params: Portraits, acts: Artifact, n: int, without_tokens: str) -> dict[str, Any]:
    meta: dict[str, Any] = {"split": params.split, "n_problems": n}
    meta |= {name: acts.meta.get(name) for name in SITE}
    if not n:
        meta["reason"] = f"no problem of split {params.split!r} was encoded"
    return meta | ({"no_tokens": without_tokens} if without_tokens else {})
