"""Stability: what the most similar features of SAEs with other seeds are labelled."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from studyrun_classify.statistics.intervals import wilson
from studyrun_report.blocks import Block, Figure, Text
from studyrun_report.drawing.charts import stability_chart
from studyrun_report.label_table import NEEDED, labelled
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, table_of
from studyrun_report.writing.text import harmless, number, share

__all__ = ["stability"]

COLUMNS = ("feature", "variant", "cosine", "same")
SAME, OTHER = "the same label", "another label or none"
BINS = 10
TABLE = (
    Spec("variant", "SAE"),
    Spec("n", "Labelled features", "count"),
    Spec("n_same", "Same label", "count", "Those whose most similar feature has the same label"),
    Spec("share", "Share", "share", "With Wilson's 95 % interval", ends=("ci_low", "ci_high")),
    Spec("expected", "By chance", "share",
         "The share that would have the same label if matches were drawn at random"),
    Spec("cosine", "Cosine", "number",
         "Median cosine of the decoder directions of a feature and its match"),
    Spec("cosine_same", "Cosine, same label", "number", "The same, of those with the same label"),
)  # fmt: skip


def stability(source: Source, stored: Stored) -> Iterator[Block]:
    """In words, as a picture and as a table; nothing where no other SAE was trained."""
    found = _matches(stored)
    if found is None or found.is_empty():
        return
    seeds = _by_variant(found)
    yield Text(harmless(source.named(stored, _sentence(found, seeds.height))))
    yield _picture(source, stored, found)
    caption = source.named(stored, "Labelled features found again in SAEs with other seeds")
    yield table_of(seeds, TABLE, id=f"{stored.slug}-stability", caption=caption)


def _matches(stored: Stored) -> pl.DataFrame | None:
    """The best matches of labelled features."""
    table = stored.having("matches", *COLUMNS)
    labels = stored.having("table", *NEEDED)
    if table is None or labels is None:
        return None
    named = labelled(labels).select(pl.col("feature").cast(table.schema["feature"]))
    return table.join(named, on="feature", how="semi").drop_nulls(["cosine", "same"])


def _by_variant(found: pl.DataFrame) -> pl.DataFrame:
    chance = [pl.col("expected").mean()] if "expected" in found.columns else []
    counts = found.group_by("variant", maintain_order=True).agg(
        pl.len().alias("n"),
        pl.col("same").sum().alias("n_same"),
        *chance,
        pl.col("cosine").median(),
        pl.col("cosine").filter(pl.col("same")).median().alias("cosine_same"),
    )
    n, same = (counts[name].cast(pl.Float64).to_numpy() for name in ("n", "n_same"))
    ends = wilson(same, n)
    return counts.with_columns(
        share=pl.col("n_same") / pl.col("n"),
        ci_low=pl.Series(ends.low),
        ci_high=pl.Series(ends.high),
    )


def _sentence(found: pl.DataFrame, seeds: int) -> str:
    same = int(found["same"].sum())
    saes = "one SAE with another seed" if seeds == 1 else f"{seeds} SAEs with other seeds"
    chance = ""
    if "expected" in found.columns and found["expected"].null_count() == 0:
        chance = f", against {share(found['expected'].mean())} expected by chance"  # type: ignore[arg-type]  # a column of floats
    return (
        f"In {saes}, {same} of {found.height} most similar features of labelled ones "
        f"carry the same label ({share(same / found.height)}{chance})."
    )


def _picture(source: Source, stored: Stored, found: pl.DataFrame) -> Figure:
    counts = _binned(found)
    of_same, others = (found.filter(pl.col("same") == same)["cosine"] for same in (True, False))
    told = [
        f"{cosines.len()} matches have {outcome}, their median cosine is {number(cosines.median())}"  # type: ignore[arg-type]  # a column of floats
        for outcome, cosines in ((SAME, of_same), (OTHER, others))
        if cosines.len()
    ]
    caption = source.named(stored, "Most similar features in SAEs with other seeds, by cosine")
    alt = f"Stacked bars over the cosine with the best match: {'; '.join(told)}."
    chart = stability_chart(counts, (SAME, OTHER))
    return Figure(f"{stored.slug}-stability-picture", caption, alt, chart)


def _binned(found: pl.DataFrame) -> pl.DataFrame:
    """(low, high, outcome, n), `BINS` bins from 0 to 1; a cosine of 1 is in the last one."""
    place = (pl.col("cosine") * BINS).floor().clip(upper_bound=BINS - 1)
    outcome = pl.when(pl.col("same")).then(pl.lit(SAME)).otherwise(pl.lit(OTHER))
    counts = found.group_by(place.alias("bin"), outcome.alias("outcome")).len("n")
    return counts.sort("bin", "outcome").select(
        (pl.col("bin") / BINS).round(3).alias("low"),
        ((pl.col("bin") + 1) / BINS).round(3).alias("high"),
        "outcome",
        "n",
    )
