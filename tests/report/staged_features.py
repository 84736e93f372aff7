"""Portraits and co-activation of the staged study: the real steps, and tokens made up."""

from __future__ import annotations

from types import SimpleNamespace

import polars as pl
import torch

from shelf import surroundings
from studyrun import Artifact, Inputs, Result
from studyrun_features.coactivation import run as coactivate
from studyrun_features.params import Coactivation, Portraits
from studyrun_features.portraits import run as portray

SIDES = ("promoted", "suppressed")


def staged_portraits(problems: Artifact, sae: Artifact, acts: Artifact) -> Result:
    """With tokens for every feature but number 2; there is no model here."""
    inputs = Inputs({"problems": problems, "sae": sae, "feature-acts": acts})
    result = portray(Portraits(split="validation", tokens=0), inputs, _context())
    d_sae = acts.meta["d_sae"]
    tokens = pl.DataFrame(
        [
            {
                "feature": feature, "side": side, "place": place, "token_id": 10 * feature + place,
                "token": f" {side[:2]}{feature}.{place}", "logit": sign * (3 - 0.5 * place),
            }
            for feature in range(d_sae)
            for side, sign in zip(SIDES, (1.0, -1.0), strict=True)
            for place in (1, 2, 3)
            if feature != 2
        ],
        schema=dict(result.tables["tokens"].schema),
    )  # fmt: skip
    meta = {name: value for name, value in result.meta.items() if name != "no_tokens"}
    return Result(tables={**result.tables, "tokens": tokens}, meta=meta)


def staged_coactivation(problems: Artifact, acts: Artifact) -> Result:
    inputs = Inputs({"problems": problems, "feature-acts": acts})
    params = Coactivation(min_phi=0.1, min_lift=1.2, module_phi=0.05, permutations=2)
    return coactivate(params, inputs, _context())


def _context() -> SimpleNamespace:
    context = surroundings()
    context.device = torch.device("cpu")
    context.note = lambda message: None
    context.generator = lambda purpose, seed=None: torch.Generator().manual_seed(seed or 0)
    return context
