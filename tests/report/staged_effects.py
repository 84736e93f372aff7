"""Effects as the steps of interventions leave them: every table they announce, numbers planted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

from studyrun import Measure, Result
from studyrun_classify.kinds import is_labelled
from studyrun_intervene.columns import (
    OUTCOMES,
    PROTOCOL,
    SUMMARY,
    feature_tables,
    pair_tables,
    patch_tables,
    steer_tables,
    wide_columns,
)
from studyrun_intervene.measures import MEASURES
from studyrun_intervene.params import EditFeatures, EditPairs, Patch, Steer

EFFECTS_OF = {
    "ablation": EditFeatures(effects=["reconstruction", "next-token", "answer"]),
    "frequent": EditFeatures(effects=["reconstruction", "next-token", "answer"]),
    "patched": Patch(effects=["answer", "thoughts"]),
    "exchanged": EditPairs(effects=["answer"]),
    "steered": Steer(effects=["next-token", "logit-lens"]),
}
"""Step -> its parameters, as far as they say what it measures."""
TABLES: Mapping[str, Callable[[object], Mapping]] = {
    "ablation": feature_tables,
    "frequent": feature_tables,
    "patched": patch_tables,
    "exchanged": pair_tables,
    "steered": steer_tables,
}
ALPHA, SIDE = 0.05, 5
SOURCES = ("value", "ci_low", "ci_high", "random_size", "random_q", "verdict")
PLACES = ("3", "4", "10")
FLOOR = 1e-7


def told(step: str) -> Mapping:
    """The tables that the step announces."""
    return TABLES[step](EFFECTS_OF[step])


def staged_effects(labels: pl.DataFrame, ids: Sequence[str]) -> dict[str, Result]:
    """Step -> what it leaves.

    Args:
        labels: the labelling of the study.
        ids: of its problems.
    """
    return {
        "ablation": _of_features(_some(labels)),
        "frequent": _of_sets(),
        "patched": _of_sites(ids),
        "exchanged": _of_pairs(labels),
        "steered": _of_directions(),
    }


# One step each


def _some(labels: pl.DataFrame) -> pl.DataFrame:
    """The seven most frequent features and three that are labelled, if there are so many."""
    labelled = labels.filter(is_labelled(), pl.col("rank") > 7).sort("rank").head(3)
    return pl.concat([labels.sort("rank").head(7), labelled])


def _of_features(top: pl.DataFrame) -> Result:
    rng, n = np.random.default_rng(1), top.height
    value = np.sort(rng.gamma(9.0, 0.012, size=n))[::-1]
    head = top.select("feature", "rank", "label", "kind").with_columns(
        mean_abs_activation=pl.Series(value * 9),
        features=pl.concat_list("feature"),
        scale=pl.lit(1.0), n=pl.lit(840), n_active=top["n_active"],
    )  # fmt: skip
    summary = _summary(rng, n, "ablation", concepts=top["concept"].to_list())
    return _result("ablation", head.hstack(_reconstruction(value)), summary)


def _of_sets() -> Result:
    """Two sets of features at three scales."""
    rng, sets = np.random.default_rng(2), [list(range(3, 43)), [7, 1]]
    rows = [(each, scale) for scale in (0.5, 1.0, 2.0) for each in sets]
    head = pl.DataFrame({"features": [r[0] for r in rows], "scale": [r[1] for r in rows]})
    head = head.with_columns(n=pl.lit(840), n_active=pl.lit(840))
    value = rng.gamma(9.0, 0.02, size=len(rows))
    recon = _reconstruction(value).with_columns(
        pl.lit(None, pl.Float64).alias(name)
        for name in ("control_mean", "control_ci_low", "control_ci_high", "control_percentile")
    )
    return _result("frequent", head.hstack(recon), _summary(rng, len(rows), "frequent"))


def _of_sites(ids: Sequence[str]) -> Result:
    """Two layers and three positions; one site carries most."""
    rng = np.random.default_rng(3)
    sites = [(layer, position) for layer in (9, 14) for position in PLACES]
    head = pl.DataFrame(sites, schema=["layer", "position"], orient="row").with_columns(
        scale=pl.lit(1.0), n=pl.lit(40), n_donors=pl.lit(40)
    )
    problems = list(range(0, 80, 2))
    pairs = pl.DataFrame({
        "problem": problems, "id": [ids[p] for p in problems], "answer": [1.0] * 40,
        "donor": [p + 1 for p in problems], "donor_id": [ids[p + 1] for p in problems],
        "donor_answer": [2.0] * 40,
    })  # fmt: skip
    summary = _summary(rng, len(sites), "patched", expected=True, matched=False)
    return _result("patched", head, summary, {"donors": pairs}, expected=True)


def _of_pairs(labels: pl.DataFrame) -> Result:
    """One pair that was edited; of the protocol one of each verdict."""
    rng, two = np.random.default_rng(4), labels.head(2)
    first, second = two.row(0, named=True), two.row(1, named=True)
    row: dict[str, object] = {"mean_abs_activation": 1.5, "mean_abs_activation_b": 2.5}
    for name in ("feature", "rank", "label", "kind"):
        row |= {name: first[name], f"{name}_b": second[name]}
    row |= {"features": [first["feature"], second["feature"]], "scale": 1.0, "n": 840}
    head = pl.DataFrame([row | {"n_active": 700}])
    rows = [_judged(v, first["feature"], second["feature"]) for v in ("supported", "refuted")]
    rows += [
        {"concept": "contains 12", "concept_b": "contains 50", "verdict": "inconclusive",
         "reason": "no feature is labelled `contains 50`"},
        _judged("inconclusive", 5, 6)
        | {"n": 12, "n_needed": 50, "power": 0.21, "problems": "word-problems",
           "reason": "the swap has a direction on 12 problems, and 50 are needed"},
    ]  # fmt: skip
    protocol = pl.DataFrame(rows, PROTOCOL.schema())
    summary = _summary(rng, 1, "exchanged", concepts=["uses +"])
    return _result("exchanged", head, summary, {"protocol": protocol})


def _judged(verdict: str, feature: int, other: int) -> dict[str, object]:
    row = {"feature": feature, "feature_b": other, "concept": "uses +", "concept_b": "uses *"}
    if verdict == "inconclusive":
        return {**row, "verdict": verdict}
    found = verdict == "supported"
    return {
        **row, "problems": "study", "n": 120, "n_needed": 50, "power": 0.993,
        "exact": 0.25 * found, "exact_ci_low": 0.18 * found, "exact_ci_high": 0.34,
        "towards": 0.4 * found, "towards_ci_low": 0.32 * found, "towards_ci_high": 0.49,
        "unchanged": 0.55, "null_feature": 8, "null_feature_b": 9, "null_exact": 0.0125,
        "null_towards": 0.0375, "null_unchanged": 0.95, "p": 0.0005 if found else 0.62,
        "verdict": verdict, "reason": "p of the one-sided test",
    }  # fmt: skip


def _of_directions() -> Result:
    """Two directions at two scales."""
    rng = np.random.default_rng(5)
    rows = [
        (name, f, s) for s in (-1.0, 1.0) for name, f in (("feature 7", 7), ("n_steps = 3", None))
    ]
    head = pl.DataFrame(rows, schema=["direction", "feature", "scale"], orient="row")
    summary = _summary(rng, len(rows), "steered", matched=False)
    return _result("steered", head, summary)


# Their tables


def _measures(step: str) -> list[Measure]:
    names = [name for name in EFFECTS_OF[step].effects if name in MEASURES]
    return [measure for name in names for measure in MEASURES[name]]


def _summary(
    rng: np.random.Generator,
    edits: int,
    step: str,
    *,
    concepts: Sequence[str | None] = (),
    matched: bool = True,
    expected: bool = False,
) -> pl.DataFrame:
    """`effects_by_feature`: about a third of the edits act on too few problems."""
    n_run = [3 if edit % 3 == 2 else int(rng.integers(20, 60)) for edit in range(edits)]
    rows = []
    for edit in range(edits):
        rows.append(_fact(edit, "moved", n_run[edit], float(rng.uniform(0.05, 0.9))))
        for measure in _measures(step):
            if measure.of == "outcome" and not expected:
                continue
            for place in PLACES if measure.by_place else ("",):
                if measure.of == "fact":
                    row = _fact(edit, measure.name, n_run[edit], float(rng.uniform(0.5, 1)))
                else:
                    row = _compared(rng, edit, measure, n_run[edit], matched=matched)
                    concept = concepts[edit] if concepts else None
                    row |= _specific(rng, concept, n_run[edit])
                rows.append(row | {"place": place})
    return pl.DataFrame(rows, SUMMARY.schema()).sort("edit", "quantity", "place")


def _fact(edit: int, name: str, n: int, value: float) -> dict[str, object]:
    return {"edit": edit, "quantity": name, "place": "", "n": n, "value": value, "ci_low": value,
            "ci_high": value, "value_all": value, "size": value}  # fmt: skip


def _compared(
    rng: np.random.Generator, edit: int, measure: Measure, n: int, *, matched: bool
) -> dict[str, object]:
    size, ratio = float(rng.uniform(0.1, 0.9)), float(rng.uniform(0, 1.3))
    signed = measure.name in ("log_prob_change", "rank_change", "answer_difference")
    value = -0.7 * size if signed else size
    q = 0.5 if ratio > 0.7 else float(rng.uniform(0.0001, 0.04))
    needed = None if ratio > 1 else float(rng.integers(6, 400))
    row: dict[str, object] = {
        "edit": edit, "quantity": measure.name, "n": n, "value": value,
        "ci_low": value - 0.05, "ci_high": value + 0.05, "value_all": value * n / 60, "size": size,
        "random_size": size * ratio, "random_p": q / 2, "random_q": q,
        "elsewhere_size": size * 0.5, "elsewhere_p": 0.01, "elsewhere_q": 0.02,
        "n_needed": needed, "verdict": _verdict(n, q, ratio, needed),
    }  # fmt: skip
    if measure.of == "change":
        row |= {"floor": FLOOR, "above_floor": True}
    if matched and edit % 4 != 1:
        row |= {"matched_n": 20, "matched_size": size * 0.8, "matched_low": 0.0,
                "matched_high": size, "matched_below": 0.7, "matched_p": 0.3,
                "matched_q": 0.4}  # fmt: skip
    return row


def _verdict(n: int, q: float, ratio: float, needed: float | None) -> str:
    if n < SIDE:
        return "insufficient"
    if q < ALPHA:
        return "effect"
    return "insufficient" if ratio < 1 and needed is not None and needed > n else "no-effect"


def _specific(rng: np.random.Generator, concept: str | None, n: int) -> dict[str, object]:
    if concept is None:
        return {}
    low, high = sorted(rng.uniform(0.01, 1, size=2).tolist())
    return {
        "concept": concept, "with_n": n // 2, "with_size": high, "without_size": low,
        "specificity": high / low, "specific_difference": high - low,
        "specific_low": high - low - 0.1, "specific_high": high - low + 0.1,
        "specific_p": 0.02, "specific_q": float(rng.uniform(0.001, 0.2)),
    }  # fmt: skip


def wide(summary: pl.DataFrame, edits: int, names: Sequence[Measure]) -> pl.DataFrame:
    """What stands of it in the main table."""
    every = pl.DataFrame({"edit": range(edits)}, {"edit": pl.UInt32})
    whole = summary.filter(pl.col("place") == "")

    def of(name: str) -> pl.DataFrame:
        own = whole.filter(pl.col("quantity") == name)
        return every.join(own, on="edit", how="left", maintain_order="left")

    run = of("moved")
    columns = {"n_run": run["n"].fill_null(0), "moved": run["value"]}
    for measure in (each for each in names if not each.by_place):
        found, heads = of(measure.name), wide_columns(measure.name, measure.of)
        columns |= {head: found[source] for (head, _), source in zip(heads, SOURCES, strict=False)}
    return pl.DataFrame(columns)


def _reconstruction(value: np.ndarray) -> pl.DataFrame:
    ends = {"ci_low": value * 0.94, "ci_high": value * 1.06}
    return pl.DataFrame({"mean_abs_diff": value, **ends}).with_columns(
        max_abs_diff=pl.Series(value * 6.1), l2_diff=pl.Series(value * 14),
        relative_l2_diff=pl.Series(value * 1.4), mean_abs_diff_active=pl.Series(value * 2),
        l2_diff_active=pl.Series(value * 28), relative_l2_diff_active=pl.Series(value * 3),
        control_n=pl.lit(20), control_mean=pl.lit(0.087), control_ci_low=pl.lit(0.061),
        control_ci_high=pl.lit(0.118), control_percentile=pl.Series((value > 0.087) * 0.9),
        random_mean=pl.Series(value * 0.99), random_ci_low=pl.Series(value * 0.95),
        random_ci_high=pl.Series(value * 1.03), random_percentile=pl.lit(0.5),
    )  # fmt: skip


def _outcomes(summary: pl.DataFrame, edits: int, *, expected: bool) -> pl.DataFrame:
    """Of every edit 40 runs in each arm; as many answers change as the summary says, about."""
    changed = summary.filter(quantity="answer_changed", place="").sort("edit")["value"]
    rows = []
    for edit in range(edits):
        for i in range(40):
            right, other = float(10 + i), float(50 + i)
            turned = i < 40 * changed[edit]
            after = {"edit": other if turned else right, "random": right, "elsewhere": right}
            rows += [
                {"edit": edit, "problem": 2 * i, "arm": arm, "answer": right,
                 "expected": other if expected else None, "before": f"{right:.0f}",
                 "after": f"{number:.0f}"}
                for arm, number in after.items()
            ]  # fmt: skip
    schema = {**OUTCOMES.schema(), "before": pl.String, "after": pl.String}
    return pl.DataFrame(rows, schema)


def _result(
    step: str,
    head: pl.DataFrame,
    summary: pl.DataFrame,
    more: Mapping[str, pl.DataFrame] | None = None,
    *,
    expected: bool = False,
) -> Result:
    """The tables that the step announces, in their order and types."""
    announced, edits = told(step), head.height
    table = head.hstack(wide(summary, edits, _measures(step)))
    tables = {
        "table": table,
        "effects_by_feature": summary,
        "noise": _noise(summary),
        **(more or {}),
    }
    runs = summary.filter(pl.col("value").is_not_null()).head(50)
    tables["effects"] = runs.select(
        "edit", "quantity", "place", "value", problem=pl.lit(0), arm=pl.lit("edit")
    )
    for name in announced:
        if name.endswith("_outcomes"):
            tables[name] = (
                _outcomes(summary, edits, expected=expected)
                if name == "answer_outcomes"
                else pl.DataFrame(schema=announced[name].schema())
            )
    typed = {name: _typed(tables[name], each.schema()) for name, each in announced.items()}
    meta = {"n": 840, "split": "validation", "layer": 14, "position": 3, "confidence": 0.95}
    return Result(tables=typed, meta=meta)


def _noise(summary: pl.DataFrame) -> pl.DataFrame:
    known = summary.filter(pl.col("floor").is_not_null()).unique(["quantity", "place"])
    return known.select(
        "quantity", "place", n=pl.lit(64), largest="floor", mean=pl.col("floor") / 2
    ).sort("quantity", "place")


def _typed(table: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The columns of the schema; those that the table lacks are null."""
    missing = [
        pl.lit(None, dtype).alias(n) for n, dtype in schema.items() if n not in table.columns
    ]
    return table.with_columns(missing).select(schema.names()).cast(dict(schema))
