"""What steps that edit the model will about take; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studyrun import CheckScope, Estimate, ModelFacts
from studyrun_data.sizes import Size, size_of
from studyrun_intervene.columns import effect_name
from studyrun_intervene.measures import MEASURES
from studyrun_intervene.params import EditFeatures, EditPairs, FeatureChoice, Patch, Steer

__all__ = ["estimate_features", "estimate_pairs", "estimate_patch", "estimate_steer"]

ANSWER_TOKENS = 6
"""Of `<eot>`, an answer's prefix and a number."""
KEPT = 2 << 30
"""Bytes of keys, values and residuals that a replay keeps at most."""
FLOAT = 4


def estimate_features(params: EditFeatures, scope: CheckScope) -> Estimate | None:
    """Of a step that edits features: each is run on the problems on which it changes anything."""
    k, d_sae = _sparsity(scope)
    if k is None or d_sae is None:
        return None
    edits, share = _edits(params.features, k, d_sae)
    matched = 0 if edits == d_sae else min(d_sae - edits, edits * params.controls.matched)
    return _estimate(params, scope, edits * len(params.scales), share, matched)


def estimate_pairs(params: EditPairs, scope: CheckScope) -> Estimate | None:
    """Of a step that edits pairs of features, without the problems that the protocol makes."""
    k, d_sae = _sparsity(scope)
    if k is None or d_sae is None:
        return None
    pairs = params.max_pairs if params.pairs == "auto" else len(params.pairs)
    share = min(1.0, 2 * k / d_sae)
    return _estimate(params, scope, pairs * len(params.scales), share, pairs)


def estimate_patch(params: Patch, scope: CheckScope) -> Estimate | None:
    """Of the step `patch`: every problem at every site."""
    acts = [s.params for s in scope.steps.values() if s.component.makes == "activations"]
    if len(acts) != 1:
        return None
    layers = params.layers or getattr(acts[0], "layers", None) or [0]
    positions = params.positions or getattr(acts[0], "positions", None) or [0]
    return _estimate(params, scope, len(layers) * len(positions) * len(params.scales), 1.0, 0)


def estimate_steer(params: Steer, scope: CheckScope) -> Estimate | None:
    """Of the step `steer`: every problem in every direction."""
    features = 0 if params.features is None else params.features.top or 1
    return _estimate(params, scope, (features + len(params.where)) * len(params.scales), 1.0, 0)


def _estimate(
    params: Any, scope: CheckScope, edits: int, share: float, matched: int
) -> Estimate | None:
    """Runs times the tokens that each computes anew, in all blocks.

    flops = runs * tokens * blocks * 2 * weights of a block; bytes = keys, values of the problems
    """
    size, model = size_of(scope.steps.values()), scope.model
    if size is None or model is None:
        return None
    if not any(effect_name(each) in MEASURES for each in params.effects):
        return None
    problems = min(params.problems, size.of(params.split))
    arms = 1 + params.controls.random + (params.controls.elsewhere is not None)
    runs = round(problems * share * (edits * arms + matched))
    tokens = _tokens(params.effects, size, model)
    block = model.block_parameters or 12 * model.d_model**2
    flops = 2.0 * block * model.n_layers * (runs * tokens + problems * (size.tokens + 6))
    held = problems * (size.tokens + 6) * model.n_layers * 2 * model.d_model * FLOAT
    note = f"{edits:,} edits x {problems:,} problems, about {runs:,} edited runs"
    return Estimate(flops, min(KEPT, held) + 100_000_000, note)


def _tokens(effects: Sequence[str | Mapping[str, Any]], size: Size, model: ModelFacts) -> int:
    """Tokens that an edited run computes: half of the thoughts or of the prompt, and the answer."""
    later = len(model.positions) // 2 if model.positions else size.tokens // 2
    answers = {"answer", "next-token"} & set(map(effect_name, effects))
    return later + (ANSWER_TOKENS if answers else 0)


def _sparsity(scope: CheckScope) -> tuple[int | None, int | None]:
    """The k and the d_sae of the study's one SAE."""
    makers = [s.params for s in scope.steps.values() if s.component.makes == "sae"]
    if len(makers) != 1:
        return None, None
    return getattr(makers[0], "k", None), getattr(makers[0], "d_sae", None)


def _edits(choice: FeatureChoice | str, k: int, d_sae: int) -> tuple[int, float]:
    """How many edits, and on which share of the problems each changes anything."""
    if isinstance(choice, str):
        return d_sae, k / d_sae
    if choice.top is not None:  # the most frequent ones are active nearly everywhere
        return (1 if choice.together else choice.top), 1.0
    if choice.sets is not None:
        return len(choice.sets), 1.0
    if choice.ids is not None:
        return (1 if choice.together else len(choice.ids)), k / d_sae
    spans = [tuple(map(int, text.split("-"))) for text in choice.ranks or ()]
    n = sum(last - first + 1 for first, last in spans)
    return (1, 1.0) if choice.together else (n, k / d_sae)
