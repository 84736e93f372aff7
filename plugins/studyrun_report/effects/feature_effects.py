"""Effects of single features: everything that the study measured of each, beside its controls."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from studyrun_report.effects.quantities import (
    MEASURE,
    ORDER,
    RECONSTRUCTION,
    Quantity,
    quantity,
)
from studyrun_report.labelling import Labelling, told_by
from studyrun_report.source import Stored

__all__ = ["headline", "largest", "of_features", "preference"]

FIRST = ("answer_changed", "kl")
"""Of which quantity the table of features speaks, if as many features have several."""
COLUMNS = {
    "feature": pl.UInt32,
    "step": pl.String,
    "place_id": pl.String,
    "scale": pl.Float64,
    "quantity": pl.String,
    "title": pl.String,
    "form": pl.String,
    "n": pl.UInt32,
    "size": pl.Float64,
    "random": pl.Float64,
    "alike": pl.Float64,
    "floor": pl.Float64,
    "q": pl.Float64,
    "verdict": pl.String,
}
"""What is known of an effect; the controls are `random` directions and `alike` features."""
SUMMARY = ("edit", "quantity", "place", "n", "size", "floor", "random_size", "random_q", "verdict")


def of_features(of: Labelling) -> pl.DataFrame:
    """A row for each feature, scale and quantity, in the order of the study."""
    source = of.source
    steps = (e for e in source.of_type("effects") if told_by(source, e) is of.stored)
    found = [frame for step in steps for frame in _effects(step)]
    return pl.concat([pl.DataFrame(schema=COLUMNS), *found])


def _effects(stored: Stored) -> Iterator[pl.DataFrame]:
    table = stored.table
    if table is None or "feature" not in table.columns or not table.schema["feature"].is_integer():
        return
    edits = table.with_row_index("edit").filter(_single(table))
    if edits.is_empty():
        return
    scale = pl.col("scale") if "scale" in edits.columns else pl.lit(1.0)
    who = edits.select("edit", "feature", scale=scale)
    summary = stored.having("effects_by_feature", *SUMMARY)
    if summary is not None:
        yield _shaped(stored, _in_runs(summary, who))
    if MEASURE in edits.columns:
        yield _shaped(stored, _reconstruction(edits, scale))


def _single(table: pl.DataFrame) -> pl.Expr:
    """Edits of one feature alone."""
    single = pl.col("feature").is_not_null()
    if isinstance(table.schema.get("features"), pl.List):
        single &= pl.col("features").list.len() == 1
    return single & pl.col("feature_b").is_null() if "feature_b" in table.columns else single


def _in_runs(summary: pl.DataFrame, who: pl.DataFrame) -> pl.DataFrame:
    """What effects that read runs say, as far as it is compared with anything."""
    told = summary.filter(pl.col("place") == "", pl.col("verdict").is_not_null())
    alike = pl.col("matched_size") if "matched_size" in told.columns else pl.lit(None)
    shown = told.select(
        pl.col("edit").cast(who.schema["edit"]),
        *("quantity", "n", "size", "floor", "verdict"),
        random="random_size",
        q="random_q",
        alike=alike,
    )
    return shown.join(who, on="edit", how="inner", maintain_order="left")


def _reconstruction(edits: pl.DataFrame, scale: pl.Expr) -> pl.DataFrame:
    """What is measured outside the model; nothing is tested there."""
    names = {"random": "random_mean", "alike": "control_mean", "n": "n_active"}
    there = {
        ours: pl.col(theirs) if theirs in edits.columns else pl.lit(None)
        for ours, theirs in names.items()
    }
    return edits.select("feature", scale=scale, quantity=pl.lit(MEASURE), size=MEASURE, **there)


def _shaped(stored: Stored, frame: pl.DataFrame) -> pl.DataFrame:
    known = {name: _quantity(name) for name in frame["quantity"].unique()}
    whole = frame.with_columns(
        step=pl.lit(stored.step),
        place_id=pl.lit(f"{stored.slug}-effects"),
        title=pl.col("quantity").replace_strict({n: e.title for n, e in known.items()}, default=""),
        form=pl.col("quantity").replace_strict({n: e.form for n, e in known.items()}, default=""),
    )
    missing = [pl.lit(None).alias(name) for name in COLUMNS if name not in whole.columns]
    return whole.with_columns(missing).select(
        pl.col(name).cast(dtype, strict=False) for name, dtype in COLUMNS.items()
    )


def _quantity(name: str) -> Quantity:
    return RECONSTRUCTION if name == MEASURE else quantity(name)


def headline(effects: pl.DataFrame) -> str:
    """The quantity by which features are compared: of those tested, that of most; or nothing.

    What is measured outside the model, and not tested, comes last.
    """
    known = effects.filter(pl.col("size").is_finite())
    many = known.group_by("quantity").agg(pl.col("feature").n_unique())
    ranked = sorted(many.iter_rows(), key=lambda each: preference(*each))
    return ranked[0][0] if ranked else ""


def preference(name: str, many: int) -> tuple[bool, int, int, int, str]:
    """What a quantity, known of so many, is sorted by where one of several is to be spoken of."""
    first = FIRST.index(name) if name in FIRST else len(FIRST)
    return name == MEASURE, -many, first, ORDER.get(name, len(ORDER)), name


def largest(effects: pl.DataFrame, name: str) -> pl.DataFrame:
    """Each feature's largest effect of that quantity, over steps and scales."""
    known = effects.filter(pl.col("quantity") == name, pl.col("size").is_finite())
    ranked = known.sort("size", descending=True, maintain_order=True)
    return ranked.unique("feature", keep="first", maintain_order=True)
