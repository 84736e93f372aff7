"""The columns of the tables that `classify` stores; imports nothing heavy.

`docs/reference/tables.md` says what they mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from studyrun import Ref
    from studyrun_classify.params import ClassifyParams, LinearProbe

__all__ = [
    "AGREEMENT",
    "ASSOCIATIONS",
    "COMPARED",
    "CONTROLS",
    "COUNTED",
    "DISTRIBUTION",
    "FEATURE",
    "LABELS",
    "LINEAR_PROBES",
    "MATCHES",
    "MEASURED",
    "OCCURRENCES",
    "PROBED",
    "PUBLISHED",
    "SAID",
    "SWAP_PAIRS",
    "TAXONOMY",
    "TOP_PROBLEMS",
    "probe_tables",
    "tables",
]

FEATURE = Table({
    "feature": "UInt32",
    "rank": "UInt32",
    "n_active": "UInt32",
    "n_total": "UInt32",
    "frequency": "Float64",
    "mean_abs_activation": "Float64",
    "mean_abs_when_active": "Float64",
})  # fmt: skip
"""What is known of the feature itself."""
SAID = Table({
    "label": "String",
    "kind": "String",
    "verdict": "String",
    "concept": "String",
    "test": "String",
    "evidence": "String",
    "n": "UInt32",
    "n_with": "UInt32",
    "rate": "Float64",
    "expected_rate": "Float64",
    "base_rate": "Float64",
    "lift": "Float64",
    "auroc": "Float64",
    "log_odds": "Float64",
    "ci_low": "Float64",
    "ci_high": "Float64",
    "q": "Float64",
    "n_needed": "Int64",
})  # fmt: skip
"""What a classifier says; one that does not give a column leaves it null, and may add others,
which follow all columns of `LABELS`."""
MEASURED = Table({
    "permuted_rate": "Float64",
    "matched_rate": "Float64",
    "untrained_rate": "Float64",
    "stability": "Float64",
    "match_cosine": "Float64",
    "top_problems": "List(String)",
})  # fmt: skip
"""What the step itself adds."""
LABELS = Table({**FEATURE.columns, **SAID.columns, **MEASURED.columns})
"""`labels`: one row a feature."""
ASSOCIATIONS = Table({
    "feature": "UInt32",
    "concept": "String",
    "kind": "String",
    "n_active": "UInt32",
    "n_active_with": "UInt32",
    "n_total": "UInt32",
    "n_with": "UInt32",
    "test": "String",
    "p": "Float64",
    "q": "Float64",
    "rate": "Float64",
    "base_rate": "Float64",
    "expected_rate": "Float64",
    "lift": "Float64",
    "auroc": "Float64",
    "log_odds": "Float64",
    "ci_low": "Float64",
    "ci_high": "Float64",
    "verdict": "String",
    "n_needed": "Int64",
    "p_alike": "Float64",
    "log_odds_alike": "Float64",
    "alike_low": "Float64",
    "alike_high": "Float64",
    "p_parts": "Float64",
    "log_odds_parts": "Float64",
    "p_claim": "Float64",
    "q_claim": "Float64",
    "q_discovery": "Float64",
    "q_confirmation": "Float64",
    "evidence": "String",
    "confirmed": "Boolean",
})  # fmt: skip
"""`associations` of `enrichment`."""
PROBED = Table({
    "feature": "UInt32",
    "concept": "String",
    "kind": "String",
    "weight": "Float64",
    "n_active": "UInt32",
    "n_active_with": "UInt32",
    "n_total": "UInt32",
    "n_with": "UInt32",
    "auroc": "Float64",
    "log_odds": "Float64",
    "ci_low": "Float64",
    "ci_high": "Float64",
    "untied": "Float64",
    "p": "Float64",
    "q": "Float64",
    "verdict": "String",
    "n_selected": "UInt32",
    "probe_auroc": "Float64",
    "probe_low": "Float64",
    "probe_high": "Float64",
    "penalty": "Float64",
    "converged": "Boolean",
})  # fmt: skip
"""`associations` of `probe`."""
COUNTED = Table({
    "feature": "UInt32",
    "concept": "String",
    "kind": "String",
    "n_active": "UInt32",
    "n_active_with": "UInt32",
    "n_total": "UInt32",
    "n_with": "UInt32",
    "rate": "Float64",
    "base_rate": "Float64",
    "lift": "Float64",
})  # fmt: skip
"""`associations` of the classifiers that count: one row a feature and concept."""
PUBLISHED = Table({
    "feature": "UInt32",
    "label": "String",
    "kind": "String",
    "verdict": "String",
    "concept": "String",
    "evidence": "String",
    "n": "UInt32",
    "n_with": "UInt32",
    "rate": "Float64",
    "base_rate": "Float64",
    "lift": "Float64",
    "published_type": "String",
})  # fmt: skip
"""What a rule by shares says of each feature; the numbers are those of `concept`."""
TAXONOMY = Table({**PUBLISHED.columns, "confidence": "String", "patterns": "List(String)"})
"""`concept` and the numbers are those of the most frequent pattern, the earlier of two equal."""
DISTRIBUTION = Table({
    "ranks": "String",
    "first": "UInt32",
    "last": "UInt32",
    "kind": "String",
    "n": "UInt32",
    "total": "UInt32",
    "share": "Float64",
    "ci_low": "Float64",
    "ci_high": "Float64",
})  # fmt: skip
"""Kinds of features by range of ranks."""
TOP_PROBLEMS = Table({
    "feature": "UInt32",
    "place": "UInt32",
    "problem": "UInt32",
    "id": "String",
    "activation": "Float32",
})  # fmt: skip
"""The problems of largest |activation| of every feature."""
COMPARED = Table({
    "feature": "UInt32",
    "classifier": "String",
    "label": "String",
    "kind": "String",
    "verdict": "String",
    "concept": "String",
})  # fmt: skip
"""What every classifier says of every feature."""
AGREEMENT = Table({
    "classifier": "String",
    "other": "String",
    "n_features": "UInt32",
    "both_labelled": "UInt32",
    "same_label": "UInt32",
    "same_kind": "UInt32",
    "kappa": "Float64",
    "ci_low": "Float64",
    "ci_high": "Float64",
})  # fmt: skip
"""Classifier against classifier."""
CONTROLS = Table({
    "classifier": "String",
    "control": "String",
    "runs": "UInt32",
    "features": "UInt32",
    "labelled": "UInt32",
    "rate": "Float64",
    "ci_low": "Float64",
    "ci_high": "Float64",
    "runs_with_any": "UInt32",
})  # fmt: skip
"""How many features each classifier labels, in the data and where nothing is to be found.
`control` is `none` for the data, `permuted`, `matched` or `untrained`."""
MATCHES = Table({
    "feature": "UInt32",
    "variant": "String",
    "match": "UInt32",
    "cosine": "Float64",
    "label": "String",
    "match_label": "String",
    "same": "Boolean",
    "expected": "Float64",
})  # fmt: skip
"""For every other SAE and every feature the feature there whose direction is nearest."""
MEMBERSHIP = Table({"problem": "UInt32", "concept": "String"})
"""The problems for which a concept holds that is some feature's label."""
OCCURRENCES = Table({**MEMBERSHIP.columns, "steps": "List(UInt32)"})
"""The same pairs, with the places, from 0, of the steps that decide the concept there."""
SWAP_PAIRS = Table({
    "feature_a": "UInt32",
    "feature_b": "UInt32",
    "kind": "String",
    "label_a": "String",
    "label_b": "String",
    "n_a": "UInt32",
    "n_b": "UInt32",
    "n_both": "UInt32",
    "n_testable": "UInt32",
    "power": "Float64",
    "n_needed": "UInt32",
    "testable": "Boolean",
    "reason": "String",
})  # fmt: skip
"""Pairs of labelled features of one kind with different labels."""
CLASSIFIERS = {
    "enrichment": (SAID, ASSOCIATIONS),
    "probe": (Table({**SAID.columns, "weight": "Float64", "untied": "Float64"}), PROBED),
    "thresholds": (PUBLISHED, COUNTED),
    "taxonomy": (TAXONOMY, COUNTED),
}
"""Classifier -> what it says of features, and its associations."""


LINEAR_PROBES = Table({
    "target": "String",
    "layer": "UInt32",
    "position": "String",
    "n_train": "UInt32",
    "n_test": "UInt32",
    "r2": "Float64",
    "r2_ci_low": "Float64",
    "r2_ci_high": "Float64",
    "exact": "Float64",
    "shuffled_r2": "Float64",
})  # fmt: skip
"""What `linear-probe` stores: one row per target, layer and position."""


def probe_tables(params: LinearProbe) -> Mapping[str, Table]:  # noqa: ARG001 - always the same
    """Of the step `linear-probe`."""
    return {"table": LINEAR_PROBES}


def tables(params: ClassifyParams) -> Mapping[str, Table]:
    """All of them; a classifier of another plugin may add columns, and has its own associations."""
    told = {
        "table": Table(LABELS.columns, open=True),
        "distribution": DISTRIBUTION,
        "top_problems": TOP_PROBLEMS,
        "compared": COMPARED,
        "agreement": AGREEMENT,
        "controls": CONTROLS,
        "matches": MATCHES,
        "swap_pairs": SWAP_PAIRS,
        "membership": MEMBERSHIP,
        "occurrences": OCCURRENCES,
    }
    name = _name(params.classifier)
    if name not in CLASSIFIERS:
        return told
    said, associations = CLASSIFIERS[name]
    added = {name: text for name, text in said.columns.items() if name not in LABELS.columns}
    labels = Table({**LABELS.columns, **added})
    return told | {"table": labels, "associations": associations}


def _name(ref: Ref) -> str:
    """The component that a reference names, in any of its forms."""
    if isinstance(ref, str):
        return ref
    return str(ref["use"] if "use" in ref else next(iter(ref)))
