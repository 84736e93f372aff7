"""The step `coactivation`: which features fire together, and whether more than chance has it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun import Artifact, Context, Inputs, Result
from studyrun_classify.evidence import evidence_of
from studyrun_classify.statistics.incidence import incidence_of
from studyrun_classify.statistics.intervals import wilson
from studyrun_features.active import encoded
from studyrun_features.columns import CONTROLS, MAP, MODULES, PAIRS
from studyrun_features.judging import TOGETHER, VERDICTS, Judged, judged
from studyrun_features.modules import clustered_map, modules
from studyrun_features.pairs import Activity, permuted
from studyrun_features.params import Coactivation

__all__ = ["run"]


def run(params: Coactivation, inputs: Inputs, context: Context) -> Result:
    """Every pair of features tested; tables without rows, and the reason, where there is none."""
    problems = _problems(params, inputs)
    strata = [name for name in params.strata if name in problems.columns]
    if missing := [name for name in params.strata if name not in strata]:
        context.note(
            f"the problems have no column {', '.join(missing)}: it does not tell them apart"
        )
    activity, meta = _activity(params, inputs["feature-acts"], problems, strata)
    meta |= {"strata": strata, "split": params.split, "alpha": params.alpha}
    if len(activity.features) < 2:
        tables = {"table": PAIRS, "modules": MODULES, "map": MAP, "controls": CONTROLS}
        empty = {name: table.schema().to_frame() for name, table in tables.items()}
        return Result(empty, meta=meta | {"pairs": 0, "reason": _reason(params, problems.height)})
    found = judged(activity.pairs(activity.margins()), params)
    counts = {each: int((found.verdicts == each).sum()) for each in VERDICTS}
    table = _pair_table(found, activity.features)
    return Result(
        tables={
            "table": table.head(params.pairs),
            "modules": modules(found, activity.features, params.module_phi),
            "map": clustered_map(found, activity.features, params.map),
            "controls": _controls(params, found, activity, context),
        },
        meta=meta
        | {"pairs": len(found.p), "verdicts": counts}
        | {"pairs_seen": table.height, "pairs_shown": min(table.height, params.pairs)},
    )


def _problems(params: Coactivation, inputs: Inputs) -> pl.DataFrame:
    """The encoded problems of the split, with what else is known of them."""
    rows, known = encoded(inputs["feature-acts"], params.split), inputs.get("problems")
    if known is None:
        return rows.select("problem")
    numbered = known.table.with_row_index("problem").cast({"problem": pl.UInt32})
    return numbered.join(rows.select("problem"), on="problem", how="semi", maintain_order="left")


def _activity(
    params: Coactivation, acts: Artifact, problems: pl.DataFrame, strata: list[str]
) -> tuple[Activity, dict[str, Any]]:
    """The features that are tested, by number, and what is said of those that are not."""
    evidence = evidence_of(problems, acts, [], 0)
    incidence = incidence_of(evidence, strata)
    n_active = np.diff(incidence.strength.indptr)
    eligible = np.flatnonzero((n_active >= params.min_active) & (n_active < problems.height))
    chosen = eligible[: params.features]
    chosen = chosen[np.argsort(incidence.features[chosen])]
    some = incidence.of(chosen)
    meta: dict[str, Any] = {
        "n_problems": problems.height,
        "features": len(chosen),
        "features_left_out": len(eligible) - len(chosen),
        "features_too_rare": int((n_active < params.min_active).sum()),
        "features_always_on": int((n_active == problems.height).sum()) if problems.height else 0,
    }
    meta |= {name: acts.meta.get(name) for name in ("layer", "position", "d_sae")}
    return Activity(some.features, some.active, incidence.stratum), meta


def _reason(params: Coactivation, n_problems: int) -> str:
    if not n_problems:
        return f"no problem of split {params.split!r} was encoded"
    return (
        f"fewer than two features are active on at least {params.min_active} of {n_problems} "
        "problems, and not on all"
    )


def _pair_table(found: Judged, features: NDArray[np.uint32]) -> pl.DataFrame:
    """`PAIRS` of the pairs that are active together anywhere: `together` first, then by phi."""
    pairs, margins = found.pairs, found.pairs.margins
    first, second = margins.places
    frame = pl.DataFrame(
        {
            "feature": features[first],
            "other": features[second],
            "n_both": pairs.both,
            "n_feature": margins.n_first,
            "n_other": margins.n_second,
            "n": np.full(len(first), margins.n),
            **{name: getattr(margins, name) for name in ("expected", "expected_alike")},
            **{name: getattr(pairs, name) for name in ("lift", "lift_alike", "phi", "phi_alike")},
            **{name: getattr(found, name) for name in ("p", "q", "p_alike", "q_alike")},
            "verdict": found.verdicts,
        }
    )
    seen = frame.filter(pl.col("n_both") > 0).fill_nan(None)
    order = [pl.col("verdict") != TOGETHER, -pl.col("phi"), "feature", "other"]
    return seen.cast(PAIRS.schema()).select(*PAIRS.columns).sort(order)


def _controls(
    params: Coactivation, found: Judged, activity: Activity, context: Context
) -> pl.DataFrame:
    """`CONTROLS`: how many pairs are together, in the data and where there is nothing to find."""
    seed = context.generator("features moved to other problems").initial_seed()
    runs = context.track(
        range(params.permutations), total=params.permutations, label="permuting", unit="runs"
    )
    margins, together = found.pairs.margins, 0
    for number in runs:
        moved = permuted(activity, np.random.default_rng([seed, number]))
        together += int(judged(moved.pairs(margins), params).together.sum())
    rows = [_rate("none", 1, len(found.p), int(found.together.sum()))]
    if params.permutations:
        rows.append(_rate("permuted", params.permutations, len(found.p), together))
    return pl.DataFrame(rows, CONTROLS.schema(), orient="row")


def _rate(control: str, runs: int, pairs: int, together: int) -> tuple[Any, ...]:
    ends = wilson(np.array(float(together)), np.array(float(runs * pairs)))
    return (
        control,
        runs,
        runs * pairs,
        together,
        together / (runs * pairs),
        float(ends.low),
        float(ends.high),
    )
