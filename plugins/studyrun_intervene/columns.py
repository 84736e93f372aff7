"""The columns of the tables of effects, told before they are made; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from studyrun import Table
from studyrun_intervene.measures import MEASURES
from studyrun_intervene.params import EditFeatures, EditPairs, Patch, Steer

__all__ = [
    "ABOUT",
    "DONORS",
    "EFFECTS",
    "FACTS",
    "NOISE",
    "OF_RECONSTRUCTION",
    "OUTCOMES",
    "PATCHES",
    "PROTOCOL",
    "PROTOCOL_OUTCOMES",
    "RECONSTRUCTION",
    "STEERINGS",
    "SUMMARY",
    "effect_name",
    "feature_tables",
    "pair_tables",
    "patch_tables",
    "steer_tables",
    "wide_columns",
]

ABOUT = {
    "edit": ("UInt32", "row of the step's main table"),
    "quantity": ("String", "what was measured; a column of the effect"),
    "place": ("String", "the thought it was measured at, where it is given for each; else empty"),
    "n": ("UInt32", "problems run on which the edit changes anything and the quantity is defined"),
    "value": ("Float64", "mean over these; null where there is none"),
    "ci_low": ("Float64", "lower end of its bootstrap interval over problems; Wilson's for 0/1"),
    "ci_high": ("Float64", "upper end"),
    "value_all": ("Float64", "mean over all problems run, 0 where the edit changes nothing"),
    "size": ("Float64", "mean |value|: what is compared with controls"),
    "floor": ("Float64", "largest |value| where nothing is edited (replayed against run in full)"),
    "above_floor": ("Boolean", "size > floor"),
    "random_size": ("Float64", "size in random directions of the same norm, same problems"),
    "random_p": ("Float64", "one-sided sign-flip p-value of size > random_size, paired"),
    "random_q": ("Float64", "after Benjamini-Hochberg over the edits of the step"),
    "elsewhere_size": ("Float64", "size of the same difference at another position"),
    "elsewhere_p": ("Float64", "likewise, of size > elsewhere_size"),
    "elsewhere_q": ("Float64", "after Benjamini-Hochberg"),
    "matched_n": ("UInt32", "features (pairs, sets) alike in frequency and activation"),
    "matched_size": ("Float64", "size of the same edit of these, their mean"),
    "matched_low": ("Float64", "lower end of the central part of their sizes"),
    "matched_high": ("Float64", "upper end of the central part of their sizes"),
    "matched_below": ("Float64", "share of these with a smaller size"),
    "matched_p": ("Float64", "p-value of the rank among them, (1 + as large) / (1 + all)"),
    "matched_q": ("Float64", "after Benjamini-Hochberg"),
    "concept": ("String", "the concept of the feature's label; of the first of a pair"),
    "with_n": ("UInt32", "of the n problems, those that have the concept"),
    "with_size": ("Float64", "size on these"),
    "without_size": ("Float64", "size on the others"),
    "specificity": ("Float64", "with_size / without_size"),
    "specific_difference": ("Float64", "with_size - without_size"),
    "specific_low": ("Float64", "lower end of its bootstrap interval"),
    "specific_high": ("Float64", "upper end of its bootstrap interval"),
    "specific_p": ("Float64", "p-value of exchanging which problems have the concept, two-sided"),
    "specific_q": ("Float64", "after Benjamini-Hochberg"),
    "n_needed": ("Float64", "acting problems to tell size from random_size with 80 % power"),
    "verdict": ("String", "`effect`, `no-effect` or `insufficient`; null for a mere fact"),
}
"""Column of `SUMMARY` -> type and meaning."""
SUMMARY = Table({name: dtype for name, (dtype, _) in ABOUT.items()})
"""`effects_by_feature`: one row per edit and quantity."""
EFFECTS = Table({
    "edit": "UInt32",
    "problem": "UInt32",
    "arm": "String",
    "quantity": "String",
    "place": "String",
    "value": "Float64",
})  # fmt: skip
"""One row per run and quantity."""
NOISE = Table({
    "quantity": "String",
    "place": "String",
    "n": "UInt32",
    "largest": "Float64",
    "mean": "Float64",
})  # fmt: skip
"""What effects say where nothing is edited."""
OUTCOMES = Table({
    "edit": "UInt32",
    "problem": "UInt32",
    "arm": "String",
    "answer": "Float64",
    "expected": "Float64",
})  # fmt: skip
"""What an effect's own texts follow."""
TEXTS = {"answer": ("before", "after"), "logit-lens": ("before", "after")}
"""The texts of the built-in effects."""
FACTS = Table({
    "features": "List(UInt32)",
    "scale": "Float64",
    "n": "UInt32",
    "n_active": "UInt32",
})  # fmt: skip
"""Of every edit of features."""
NAMED = {
    "feature": "UInt32",
    "rank": "UInt32",
    "label": "String",
    "kind": "String",
    "mean_abs_activation": "Float64",
}
"""Of every edited feature; null where a set of several is edited at once."""
PATCHES = Table({
    "layer": "UInt32",
    "position": "String",
    "scale": "Float64",
    "n": "UInt32",
    "n_donors": "UInt32",
})  # fmt: skip
DONORS = Table({
    "problem": "UInt32",
    "id": "String",
    "answer": "Float64",
    "donor": "UInt32",
    "donor_id": "String",
    "donor_answer": "Float64",
})  # fmt: skip
"""Which problem lent its residual to which."""
STEERINGS = Table({"direction": "String", "feature": "UInt32", "scale": "Float64"})
PROTOCOL = Table({
    "feature": "UInt32",
    "feature_b": "UInt32",
    "concept": "String",
    "concept_b": "String",
    "problems": "String",
    "n": "UInt32",
    "n_needed": "UInt32",
    "power": "Float64",
    "exact": "Float64",
    "exact_ci_low": "Float64",
    "exact_ci_high": "Float64",
    "towards": "Float64",
    "towards_ci_low": "Float64",
    "towards_ci_high": "Float64",
    "unchanged": "Float64",
    "outcomes": "UInt32",
    "null_feature": "UInt32",
    "null_feature_b": "UInt32",
    "null_exact": "Float64",
    "null_towards": "Float64",
    "null_unchanged": "Float64",
    "p": "Float64",
    "verdict": "String",
    "reason": "String",
})  # fmt: skip
"""The swap protocol: one row per pair; `outcomes` is its number in the table of outcomes."""
PROTOCOL_OUTCOMES = Table({
    "outcomes": "UInt32",
    "question": "String",
    "answer": "Float64",
    "expected": "Float64",
    "before": "String",
    "after": "String",
    "null_after": "String",
})  # fmt: skip
"""What the swap protocol rests on: a row per pair that was run and problem."""
OF_RECONSTRUCTION = {
    "mean_abs_diff": "mean |x_hat' - x_hat| over all n rows and all dimensions",
    "ci_low": "lower end of its bootstrap interval over problems",
    "ci_high": "upper end of its bootstrap interval over problems",
    "max_abs_diff": "largest |x_hat' - x_hat| of any row and dimension",
    "l2_diff": "mean over all n rows of the Euclidean norm of x_hat' - x_hat",
    "relative_l2_diff": "l2_diff / mean Euclidean norm of the activations of the same rows",
    "mean_abs_diff_active": "mean_abs_diff over active rows only; null if there are none",
    "l2_diff_active": "l2_diff over active rows only; null if there are none",
    "relative_l2_diff_active": "relative_l2_diff over active rows only; null if there are none",
    "control_n": "features (pairs) that the control rests on",
    "control_mean": "mean_abs_diff of the same edit of matched features, their mean",
    "control_ci_low": "lower end of the central 95 % of the matched features' mean_abs_diff",
    "control_ci_high": "upper end of the central 95 % of the matched features' mean_abs_diff",
    "control_percentile": "share of matched features with a smaller mean_abs_diff",
    "random_mean": "mean_abs_diff of changes of the same norm in random directions, their mean",
    "random_ci_low": "lower end of the central 95 % of the random directions' mean_abs_diff",
    "random_ci_high": "upper end of the central 95 % of the random directions' mean_abs_diff",
    "random_percentile": "share of random directions with a smaller mean_abs_diff",
}
"""What the columns of the effect `reconstruction` are; in the activations' units but for counts and
shares. 95 % stands for the step's `confidence`.
"""
RECONSTRUCTION = Table({**dict.fromkeys(OF_RECONSTRUCTION, "Float64"), "control_n": "UInt32"})


def effect_name(effect: str | Mapping[str, Any]) -> str:
    """The component that a reference names."""
    if isinstance(effect, str):
        return effect
    return str(effect.get("use") or next(iter(effect), ""))


def wide_columns(name: str, of: str) -> Iterator[tuple[str, str]]:
    """The columns of a measure in a main table, and their types."""
    yield name, "Float64"
    if of == "fact":
        return
    for suffix in ("ci_low", "ci_high", "random", "q"):
        yield f"{name}_{suffix}", "Float64"
    yield f"{name}_verdict", "String"


def feature_tables(params: EditFeatures) -> Mapping[str, Table]:
    """Of a step that edits features."""
    return _tables({**NAMED, **FACTS.columns}, params.effects)


def pair_tables(params: EditPairs) -> Mapping[str, Table]:
    """Of a step that edits pairs of features."""
    other = {f"{name}_b": dtype for name, dtype in NAMED.items()}
    told = _tables({**NAMED, **other, **FACTS.columns}, params.effects)
    answers = "answer" in map(effect_name, params.effects)
    of_swaps = {"protocol": PROTOCOL, "protocol_outcomes": PROTOCOL_OUTCOMES}
    return {**told, **of_swaps} if answers else told


def patch_tables(params: Patch) -> Mapping[str, Table]:
    """Of the step `patch`."""
    return {**_tables(dict(PATCHES.columns), params.effects), "donors": DONORS}


def steer_tables(params: Steer) -> Mapping[str, Table]:
    """Of the step `steer`."""
    return _tables(dict(STEERINGS.columns), params.effects)


def _tables(
    head: Mapping[str, str], effects: Sequence[str | Mapping[str, Any]]
) -> Mapping[str, Table]:
    """The main table, which is open where effects of other plugins add columns, and its grounds."""
    names = [effect_name(each) for each in effects]
    columns, strange = dict(head), False
    if "reconstruction" in names:
        columns |= RECONSTRUCTION.columns
    read = [name for name in names if name in MEASURES]
    strange = any(name not in MEASURES and name != "reconstruction" for name in names)
    if read:
        columns |= {"n_run": "UInt32", "moved": "Float64"}
    for measure in (m for name in read for m in MEASURES[name] if not m.by_place):
        columns |= dict(wide_columns(measure.name, measure.of))
    told = {"table": Table(columns, open=strange)}
    if not read:
        return told
    told |= {"effects": EFFECTS, "effects_by_feature": SUMMARY, "noise": NOISE}
    for name in read:
        if name in TEXTS:
            texts = dict.fromkeys(TEXTS[name], "String")
            told[f"{name.replace('-', '_')}_outcomes"] = Table({**OUTCOMES.columns, **texts})
    return told
