"""Tokens: what the logit lens makes of a feature's decoder direction."""

from __future__ import annotations

import polars as pl

from studyrun_report.labelling import Labelling
from studyrun_report.pages.parts import Part, by_feature
from studyrun_report.writing.tables import Spec

__all__ = ["tokens"]

MOST = 8
SIDES = ("promoted", "suppressed")


def tokens(of: Labelling) -> Part | None:
    """The tokens whose logits the direction raises and lowers most, side by side."""
    if of.portraits is None:
        return None
    found = of.portraits.having("tokens", "feature", "side", "place", "token", "logit")
    if found is None:
        return None
    first = found.with_columns(
        place=pl.col("place").rank("ordinal").over("feature", "side").cast(pl.UInt32)
    ).filter(pl.col("place") <= MOST)
    up, down = (first.filter(side=side).drop("side", "token_id", strict=False) for side in SIDES)
    both = up.join(down, on=("feature", "place"), how="full", coalesce=True, suffix="_down")
    shown = both.sort("feature", "place").with_columns(
        *(_visible(name) for name in ("token", "token_down"))
    )
    specs = (
        Spec("token", "Promoted", beneath=("logit", "number", "{}")),
        Spec("token_down", "Suppressed", beneath=("logit_down", "number", "{}")),
    )
    note = (
        "The decoder direction times the final norm's weight and the output matrix: what it would "
        "promote if nothing came after it. Below each token its logit less the mean of all tokens; "
        "the norm's scale, which the rest of the stream decides, is left out, so only numbers of "
        "one direction compare."
    )
    return by_feature(shown, specs, name="tokens", caption="Logit lens", note=note)


def _visible(name: str) -> pl.Expr:
    """The token with its spaces seen."""
    return pl.col(name).str.replace_all(" ", "\N{OPEN BOX}").alias(name)
