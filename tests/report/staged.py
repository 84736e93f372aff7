"""Artifacts as a study would leave them: real problems and labels, planted features and effects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import torch
from staged_effects import staged_effects
from staged_features import staged_coactivation, staged_portraits

from shelf import Shelf, surroundings
from studyrun import Artifact, Inputs, Result
from studyrun.verdicts import run as judge
from studyrun_classify.classify import run as classify
from studyrun_classify.params import ClassifyParams

HYPOTHESES = {
    "general-features-matter": {
        "claim": "Ablating a top-10 feature moves the reconstruction by more than 0.1 on average.",
        "given": "SELECT min(n_active) >= 20 FROM ablation WHERE rank <= 10",
        "expect": "SELECT avg(CAST(mean_abs_diff > 0.1 AS INT)) >= 0.7 FROM ablation "
        "WHERE rank <= 10",
    },
    "rare-features-specialise": {
        "claim": "More of the rare features than of the frequent ones carry a label.",
        "given": "SELECT count(*) >= 30 FROM labels WHERE rank > 400 AND verdict <> 'insufficient'",
        "expect": "SELECT count(*) >= 10 FROM labels WHERE rank > 400 AND verdict = 'enriched'",
    },
    "the-sae-reconstructs": {
        "claim": "On problems it never saw, the SAE explains more than 90 % of the variance.",
        "expect": "SELECT min(explained_variance) > 0.9 FROM sae_quality",
    },
}
STEPS = {
    "activations": {"use": "extract", "version": "1", "with": {"layers": [14], "positions": [3]}},
    "sae": {"use": "sae-train", "version": "1", "with": {"d_sae": 512, "k": 32, "lr": 0.004}},
    "features": {"use": "sae-encode", "version": "1", "with": {}},
    "labels": {"use": "classify", "version": "1",
               "with": {"classifier": "enrichment", "ranks": ["1-20", "50-200", "400-512"]}},
    "portraits": {"use": "portraits", "version": "1", "with": {"split": "validation"}},
    "coactivation": {"use": "coactivation", "version": "1", "with": {}},
    "ablation": {"use": "ablate", "version": "1", "with": {"features": {"top": 10}}},
    "frequent": {"use": "mean-ablate", "version": "1", "with": {"scales": [0.5, 1.0, 2.0]}},
    "patched": {"use": "patch", "version": "1", "with": {"controls": {"alpha": 0.05}}},
    "exchanged": {"use": "swap", "version": "1", "with": {"pairs": [["uses +", "uses *"]]}},
    "steered": {"use": "steer", "version": "1", "with": {"where": ["n_steps = 3"]}},
    "swaps": {"use": "swap", "version": "1", "with": {"pairs": "auto"}},
    "report": {"use": "report", "version": "1", "with": {"title": None}},
}  # fmt: skip
STUDY = {
    "study": "layer14_pos3",
    "about": "What do TopK SAE features encode at layer 14, position 3?",
    "seed": 0,
    "model": {"use": "codi", "version": "1", "with": {"checkpoint": "builtin:tiny-codi"}},
    "data": {"use": "word-problems", "version": "1", "with": {"problems": 1200}},
    "steps": STEPS,
    "hypotheses": HYPOTHESES,
    "runtime": {"dtype": "float32"},
}


def staged(folder: Path, d_sae: int = 512, n_problems: int = 1200) -> Inputs:
    """What the report step of the example study is given."""
    shelf = Shelf(folder)
    steps = {"data": _problems(shelf, n_problems)}
    steps["activations"] = shelf.put("activations", _activations(n_problems), "extract 1")
    sae, features = _encoded(shelf, steps["data"], d_sae)
    steps |= {"sae": sae, "features": features}
    params = ClassifyParams(
        ranks=_ranges(d_sae), compare=["thresholds", "taxonomy"], permutations=3, matched=2,
        untrained=True, sae_seeds=2,
    )  # fmt: skip
    given = Inputs(
        {"problems": steps["data"], "sae": sae, "feature-acts": features},
        variants={
            "untrained": _variant(shelf, steps["data"], d_sae, 3, follows=False),
            "seed-1": _variant(shelf, steps["data"], d_sae, 1),
            "seed-2": _variant(shelf, steps["data"], d_sae, 2),
        },
    )
    steps["labels"] = shelf.put("labels", classify(params, given, surroundings()), "classify 1")
    portraits = staged_portraits(steps["data"], sae, features)
    steps["portraits"] = shelf.put("portraits", portraits, "portraits 1")
    pairs = staged_coactivation(steps["data"], features)
    steps["coactivation"] = shelf.put("coactivation", pairs, "coactivation 1")
    ids = steps["data"].table["id"].to_list()
    for name, result in staged_effects(steps["labels"].table, ids).items():
        steps[name] = shelf.put("effects", result, f"{STEPS[name]['use']} 1")
    steps["swaps"] = shelf.put("effects", _no_swaps(), "swap 1")
    verdicts = judge(None, Inputs({}, steps, STUDY), surroundings())
    steps["verdicts"] = shelf.put("verdicts", verdicts, "verdicts 1")
    return Inputs({}, steps, STUDY)


def _ranges(d_sae: int) -> list[str]:
    return ["1-20", "50-200", "400-512"] if d_sae == 512 else [f"1-{d_sae // 2}"]


def _problems(shelf: Shelf, n: int) -> Artifact:
    context = surroundings()
    bound = context.bind(
        "data", {"use": "word-problems", "with": {"problems": n, "validation": 0.7}}
    )
    return shelf.put("problems", bound.load()(bound.params, context), "word-problems 1")


def _encoded(
    shelf: Shelf, problems: Artifact, d_sae: int, seed: int = 0, *, follows: bool = True
) -> tuple[Artifact, Artifact]:
    """An SAE and its feature activations."""
    acts = _acts(problems.table, d_sae, seed, follows=follows)
    return (
        shelf.put("sae", _sae(d_sae, seed), "sae-train 1"),
        shelf.put("feature-acts", acts, "sae-encode 1"),
    )


def _variant(shelf: Shelf, problems: Artifact, *args, **kwargs) -> dict[str, Artifact]:
    sae, features = _encoded(shelf, problems, *args, **kwargs)
    return {"problems": problems, "sae": sae, "feature-acts": features}


def _activations(n: int) -> Result:
    return Result(tables={"table": pl.DataFrame({"problem": range(n)})}, meta={"layers": [14]})


def _sae(d_sae: int, seed: int) -> Result:
    """Of another seed, directions that are like the first one's, some more and some less."""
    rng = np.random.default_rng(seed)
    own = np.random.default_rng(0).normal(size=(d_sae, 16))
    away = rng.uniform(0, 2, size=(d_sae, 1)) * rng.normal(size=(d_sae, 16)) if seed else 0.0
    W_dec = torch.from_numpy(own + away).float()
    quality = pl.DataFrame({
        "split": ["train", "validation"], "n": [360, 840], "fvu": [0.0312, 0.0524],
        "explained_variance": [0.9688, 0.9476], "explained_variance_seed": [0.9691, 0.9481],
        "l0": [32.0, 31.98], "dead": [12, 31], "dead_share": [12 / d_sae, 31 / d_sae],
    })  # fmt: skip
    meta = {"layer": 14, "position": 3, "d_sae": d_sae, "k": 32}
    epochs = pl.DataFrame({"epoch": [1, 2, 3], "fvu": [0.4, 0.2, 0.03125]})
    tables = {"table": epochs, "quality": quality}
    return Result(tables=tables, tensors={"W_dec": W_dec}, meta=meta)


def _acts(problems: pl.DataFrame, d_sae: int, seed: int = 0, *, follows: bool = True) -> Result:
    """Every fourth feature follows an operation, some a value, the others (or all) nothing."""
    rng, n = np.random.default_rng(seed), problems.height
    used = (
        problems["steps"]
        .list.eval(pl.element().struct.field("operators").list.join(""))
        .list.join("")
    )
    numbers = problems["steps"].list.eval(pl.element().struct.field("operands").explode())
    truths = [used.str.contains(o, literal=True).to_numpy() for o in "+-*/"]
    truths += [numbers.list.contains(v).to_numpy() for v in (2.0, 3.0, 5.0, 10.0)]
    truths += [used.str.contains(p, literal=True).to_numpy() for p in ("*+", "+*", "-/")]
    rows = []
    for feature in range(d_sae):
        share = 1 / (1 + np.exp(0.022 * (feature * 512 / d_sae) - 4.2))
        planted = follows and feature % 4 == 0 and feature % 8
        truth = truths[feature % len(truths)] if planted else None
        odds = np.ones(n) if truth is None else np.where(truth, 1.6, 0.15)
        active = np.flatnonzero(rng.random(n) < np.clip(share * odds, 0, 1))
        strength = rng.gamma(3.0, 0.6, size=len(active))
        if truth is not None and feature < 40:
            strength += 2.2 * truth[active]
        rows.append((active, np.full(len(active), feature), strength))
    if follows:
        rows = _together(rows, d_sae)
    problem, feature, activation = (np.concatenate(part) for part in zip(*rows, strict=True))
    table = pl.DataFrame({
        "problem": problem.astype(np.uint32), "feature": feature.astype(np.uint32),
        "activation": activation.astype(np.float32),
    }).sort("problem", "feature")  # fmt: skip
    rows_table = problems.with_row_index("problem").select("problem", "id", "split")
    meta = {"d_sae": d_sae, "layer": 14, "position": 3, "n": n}
    return Result(tables={"table": table, "rows": rows_table}, meta=meta)


def _together(rows: list[tuple], d_sae: int) -> list[tuple]:
    """Two features that know of nothing are active where a third one is, nearly always."""
    rng, first = np.random.default_rng(8), 25 * d_sae // 64
    active, _, strength = rows[first]
    for follower in (first + 2, first + 4):
        kept = np.flatnonzero(rng.random(len(active)) < 0.85)
        rows[follower] = (active[kept], np.full(len(kept), follower), strength[kept])
    return rows


def _no_swaps() -> Result:
    table = pl.DataFrame(
        schema={"feature": pl.UInt32, "feature_b": pl.UInt32, "mean_abs_diff": pl.Float64}
    )
    return Result(
        tables={"table": table}, meta={"reason": "no two features carry different labels"}
    )
