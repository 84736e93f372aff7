"""Dictionary: the features of an SAE taken together, and how it was trained, as pictures."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from studyrun_report.blocks import Block, Figure, Text
from studyrun_report.drawing.feature_charts import activations_chart, cosines_chart, training_chart
from studyrun_report.source import Source, Stored
from studyrun_report.writing.text import harmless, number

__all__ = ["dictionary", "training"]

OWN, RANDOM = "decoder", "random"
PAIR = 1.0
"""Pairs: where fewer are expected by chance, a direction is nearer than random ones are."""


def training(source: Source) -> Iterator[Figure]:
    """What each epoch left unexplained, of every SAE that was trained."""
    for stored in source.of_type("sae"):
        epochs = stored.having("table", "epoch", "fvu")
        if epochs is None or not all(epochs.schema[name].is_numeric() for name in ("epoch", "fvu")):
            continue
        known = epochs.select("epoch", "fvu").filter(pl.col("fvu").is_finite())
        if known.height > 1:
            (first, before), (last, after) = known.row(0), known.row(-1)
            alt = (
                f"A line over {known.height} epochs: the fraction of variance unexplained goes "
                f"from {number(before)} at epoch {first} to {number(after)} at epoch {last}."
            )
            caption = source.named(stored, "Fraction of variance unexplained during training")
            yield Figure(f"{stored.slug}-training", caption, alt, training_chart(known))


def dictionary(source: Source) -> Iterator[Block]:
    """The sizes of all activations, and how near decoder directions are to each other."""
    for stored in source.of_type("portraits"):
        yield from _activations(source, stored)
        yield from _cosines(source, stored)


def _activations(source: Source, stored: Stored) -> Iterator[Figure]:
    found = stored.having("activations", "low", "high", "n")
    if found is None:
        return
    bins = found.filter(pl.col("low") > 0)
    total = int(bins["n"].sum())
    if not total:
        return
    fullest = bins.sort("n", descending=True, maintain_order=True).row(0, named=True)
    negative = int(bins["n_negative"].sum()) if "n_negative" in bins.columns else 0
    below = f" {negative} of them are negative." if negative else ""
    alt = (
        f"Histogram of {total} activations by size, from {number(bins['low'].min())} to "  # type: ignore[arg-type]  # a column of floats
        f"{number(bins['high'].max())}, logarithmic. The fullest bin, "  # type: ignore[arg-type]  # likewise
        f"{number(fullest['low'])} to {number(fullest['high'])}, holds {fullest['n']}.{below}"
    )
    on = stored.problems
    caption = source.named(stored, f"How large activations are, all features together, on {on}")
    drawn = bins.select("low", "high", "n", zero=pl.lit(0))
    yield Figure(f"{stored.slug}-activations", caption, alt, activations_chart(drawn))


def _cosines(source: Source, stored: Stored) -> Iterator[Block]:
    found = stored.having("cosines", "of", "low", "high", "n")
    if found is None:
        return
    own, random = (found.filter(of=name).select("low", "high", "n") for name in (OWN, RANDOM))
    bins = own.rename({"n": OWN}).join(
        random.select("low", pl.col("n").alias(RANDOM)), on="low", how="left", maintain_order="left"
    )
    known = bins.filter((pl.col(OWN) >= PAIR) | (pl.col(RANDOM) >= PAIR))
    if known.is_empty():
        return
    first, last = known["low"][0], known["low"][-1]
    inside = bins.filter(pl.col("low").is_between(first, last))
    drawn = inside.with_columns(pl.when(pl.col(n) >= PAIR).then(n).alias(n) for n in (OWN, RANDOM))
    largest = known.filter(pl.col(OWN) >= PAIR)["high"].max()
    by_chance = known.filter(pl.col(RANDOM) >= PAIR)["high"].max()
    alt = (
        f"Bars and a curve over the cosine, pairs on a logarithmic scale: {int(own['n'].sum())} "
        f"pairs of decoder directions reach up to {number(largest)}, as many of random ones "  # type: ignore[arg-type]  # a column of floats
        f"would reach up to {number(by_chance)}."  # type: ignore[arg-type]  # likewise
    )
    caption = source.named(
        stored, "Cosines of decoder directions (bars) and of random directions (dashed)"
    )
    yield Figure(f"{stored.slug}-cosines", caption, alt, cosines_chart(drawn))
    yield from _nearer(source, stored, random)


def _nearer(source: Source, stored: Stored, random: pl.DataFrame) -> Iterator[Text]:
    """How many directions have another one nearer than any two random ones would be."""
    nearest = stored.having("table", "feature", "max_cosine")
    if nearest is None or random.is_empty():
        return
    falling = random.sort("high", descending=True)
    beyond = falling.filter(pl.col("n").cum_sum() < PAIR)
    if beyond.is_empty():
        return
    limit = beyond["low"][-1]
    near = nearest.filter(pl.col("max_cosine") > limit).height
    said = (
        f"{near} of {nearest.height} decoder directions have another one at a cosine above "
        f"{number(limit)}; among as many random directions fewer than one pair is as near."
    )
    yield Text(harmless(source.named(stored, said)))
