"""From the features that probes select to one label for each feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from scipy.stats import false_discovery_control

from studyrun import Concept, Evidence
from studyrun_classify import columns
from studyrun_classify.params import ProbeParams

__all__ = ["SCHEMA", "judged", "labels", "rows_of"]

PAIR = ("feature", "concept")
NUMBERS = ("auroc", "log_odds", "ci_low", "ci_high", "q", "weight", "untied")
"""What a label has from its row as it is."""

SCHEMA = columns.PROBED.schema()
"""`associations` of `probe`: a row for each concept and feature with a weight.

What was seen on the second half, among the problems compared for the concept: `n_total` of them,
`n_with` with the concept, `n_active` on which the feature is active, `n_active_with` with both;
`auroc` of |activation| and its log odds with 95 % interval; `untied`, the AUROC among pairs that
differ in |activation|, so that a rare feature is not held against the pairs in which it is inactive
twice; `p`, one-sided, that problems with the concept have the larger |activation|; `q`, null for
negative weights, of which nothing is claimed.

What is said of the whole probe: `n_selected` features have a `weight`, in log odds for each
standard deviation of |activation|, at the `penalty`; `probe_auroc` with its 95 % interval;
`converged`, false where the solver gave up: the weights are then those that it had reached.
"""


def rows_of(columns: Mapping[str, Any]) -> pl.DataFrame:
    """The columns given, whole or of one value, as rows of `SCHEMA`; what is missing is null."""
    given = pl.DataFrame(columns)
    return given.select(
        (pl.col(name) if name in columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in SCHEMA.items()
    ).with_columns(pl.col(pl.Float64).fill_nan(None))


def judged(found: Sequence[pl.DataFrame], params: ProbeParams) -> pl.DataFrame:
    """All rows, with `q` by Benjamini-Hochberg over those of positive weight, and their verdicts.

    - `enriched`: q <= alpha, and the effect is at least `min_auroc`;
    - `weak`: q <= alpha, and it is not;
    - `not-confirmed`: selected on one half, not seen on the other.
    """
    rows = pl.concat([SCHEMA.to_frame(), *found])
    claims = rows.filter(pl.col("weight") > 0).select(*PAIR, "p")
    q = pl.Series("q", false_discovery_control(claims["p"]) if claims.height else [], pl.Float64)
    adjusted = claims.select(*PAIR, q)
    frame = rows.drop("q").join(adjusted, on=PAIR, how="left", maintain_order="left")
    verdict = (
        pl.when(pl.col("q").is_null())
        .then("verdict")
        .when(pl.col("q") > params.alpha)
        .then(pl.lit("not-confirmed"))
        .when(pl.col("untied") >= params.min_auroc)
        .then(pl.lit("enriched"))
        .otherwise(pl.lit("weak"))
    )
    return frame.with_columns(verdict=verdict).select(*SCHEMA)


def labels(evidence: Evidence, associations: pl.DataFrame, params: ProbeParams) -> pl.DataFrame:
    """One row per feature: its label, or why it has none.

    The label is a concept whose row is `enriched`; of several, one that is a part of another gives
    way, then the largest weight stands: the numbers shown, which are of the half that confirms, had
    no part in the choice. Without one the label is `general`, and `verdict` is `weak` or
    `not-confirmed` as in the row of largest weight, `weak` first; or, if there is no row,

    - `insufficient`: fewer than `min_support` active problems, or half of the concepts or more were
      not probed; the label says so, too;
    - `not-selected`: no probe uses the feature for its concept. It may be associated with one all
      the same: of features that say the same thing, a sparse probe may use only some.
    """
    claims = associations.filter(pl.col("weight") > 0).sort(-pl.col("weight"), maintain_order=True)
    confirmed = claims.filter(verdict="enriched")
    parts = confirmed.join(_parts(evidence.concepts), on="concept")
    parts = parts.select("feature", concept="part")
    specific = confirmed.join(parts, on=PAIR, how="anti", maintain_order="left")
    named = specific.unique("feature", keep="first", maintain_order=True)
    rest = claims.join(named, on="feature", how="anti", maintain_order="left")
    weak_first = rest.sort(pl.col("verdict") != "weak", maintain_order=True)
    closest = weak_first.unique("feature", keep="first", maintain_order=True)
    general = {"label": pl.lit("general"), "kind": pl.lit("general")}
    shown = pl.concat([_shown(named, label=pl.col("concept")), _shown(closest, **general)])
    unprobed = associations.filter(verdict="insufficient").height
    unused = _unused(evidence, shown, unprobed, params.min_support)
    return pl.concat([shown, unused], how="diagonal")


def _parts(concepts: Sequence[Concept]) -> pl.DataFrame:
    """(concept, part) for all parts of every concept and for theirs."""
    parts = {concept.name: concept.parts for concept in concepts}
    rows = []
    for name in parts:
        found, ahead = {name}, list(parts[name])
        while ahead:
            part = ahead.pop()
            ahead += parts.get(part, ()) if part not in found else ()
            found.add(part)
        rows += [(name, part) for part in sorted(found - {name})]
    return pl.DataFrame(rows, {"concept": pl.String, "part": pl.String}, orient="row")


def _shown(rows: pl.DataFrame, **said: pl.Expr) -> pl.DataFrame:
    """What is said of features with the numbers of the row that it rests on."""
    rate = pl.when(pl.col("n_active") > 0).then(pl.col("n_active_with") / pl.col("n_active"))
    base_rate = pl.col("n_with") / pl.col("n_total")
    return rows.with_columns(**said).select(
        "feature",
        "label",
        "kind",
        "verdict",
        "concept",
        test=pl.lit("probe"),
        evidence=pl.lit("second half, found on the first"),
        n="n_active",
        n_with="n_active_with",
        rate=rate,
        base_rate=base_rate,
        lift=rate / base_rate,
        **{name: name for name in NUMBERS},
    )


def _unused(evidence: Evidence, used: pl.DataFrame, unprobed: int, least: int) -> pl.DataFrame:
    """What is said of features that are used for no concept.

    Args:
        evidence: every feature.
        used: those that are not meant.
        unprobed: how many concepts there was no probe for.
        least: active problems without which nothing is said.
    """
    features = evidence.features.join(used, on="feature", how="anti", maintain_order="left")
    few = pl.col("n_active") < least
    unknown = few | (2 * unprobed >= len(evidence.concepts))
    kind = pl.when(unknown).then(pl.lit("insufficient")).otherwise(pl.lit("general"))
    verdict = pl.when(unknown).then(pl.lit("insufficient")).otherwise(pl.lit("not-selected"))
    return features.select(
        "feature",
        label=kind,
        kind=kind,
        verdict=verdict,
        evidence=pl.lit("all problems"),
        n="n_active",
        n_needed=pl.when(few).then(least),
    )
