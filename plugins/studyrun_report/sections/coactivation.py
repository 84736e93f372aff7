"""Co-activation: which features fire together beyond chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from studyrun_report.blocks import Block, Figure, Section, Table, Text
from studyrun_report.drawing.feature_charts import pairs_chart
from studyrun_report.labelling import Labelling, labelling_of, link_to
from studyrun_report.sections.modules import modules
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, first_of, table_of
from studyrun_report.writing.text import column, harmless, number, share

__all__ = ["section"]

PAIR = ("feature", "other", "n_both", "n_feature", "n_other", "expected", "phi", "verdict")
MAP = ("feature", "other", "phi", "verdict", "place", "other_place")
TOGETHER = "together"
MEANINGS = {
    "together": "fire together more often than chance has it",
    "explained": "do so, but not among comparable problems",
    "weak": "do so, but too weakly to count",
    "chance": "do not, with problems enough to see it",
    "insufficient": "are on too few problems to say",
}
LEFT_OUT = {
    "features_too_rare": "are active on too few problems",
    "features_always_on": "are active on all problems",
    "features_left_out": "are less frequent than those looked at",
}
MAPPED = 100
"""Features on a map at most."""
BLANK = 0.05
"""Smallest |phi| that has a colour on the map."""
SHOWN = 20
CONTROLS = (
    Spec("control", "Data"),
    Spec("runs", "Runs", "count"),
    Spec("pairs", "Pairs tested", "count"),
    Spec("together", "Together", "count"),
    Spec("rate", "Share", "share", "With its 95 % interval", ends=("ci_low", "ci_high")),
)
NAMES = {"none": "the study's data", "permuted": "activity moved to random comparable problems"}


def section(source: Source) -> Section | None:
    """Of every step that tested pairs, in words, as a map and as lists."""
    every = source.of_type("coactivation")
    blocks = tuple(block for stored in every for block in _blocks(source, stored))
    lead = (
        "Features that fire on the same problems may be one thing cut in two, or parts of one "
        "thing. Long problems switch on more features than short ones, so a pair counts only "
        "where it fires together among comparable problems too. On the map features that fire "
        "together stand beside each other."
    )
    return Section("coactivation", "Co-activation", blocks, lead) if blocks else None


def _blocks(source: Source, stored: Stored) -> Iterator[Block]:
    pairs = stored.having("table", *PAIR)
    if pairs is None:
        reason = stored.artifact.meta.get("reason") or "no pair was tested"
        yield Text(harmless(f"{stored.step}: {reason}."))
        return
    of, link = labelling_of(source, stored), link_to(source, stored)
    yield Text(harmless(source.named(stored, _sentence(stored, pairs)), 1200))
    controls = stored.having("controls", "control", "pairs", "together", "rate")
    if controls is not None:
        yield _controls(source, stored, controls)
    mapped = stored.having("map", *MAP)
    if mapped is not None:
        yield _map(source, stored, mapped)
    yield from modules(source, stored, of)
    together = pairs.filter(pl.col("verdict") == TOGETHER)
    if together.height:
        yield _pairs(source, stored, _named(of, together), link)


def _sentence(stored: Stored, pairs: pl.DataFrame) -> str:
    """How many pairs came to what, and of which features."""
    meta = stored.artifact.meta
    counts = meta.get("verdicts")
    if not isinstance(counts, Mapping):
        counts = dict(pairs["verdict"].value_counts().iter_rows())
    total = sum(counts.values())
    features = meta.get("features")
    of = f" of {features} features" if features is not None else ""
    on = f" on {stored.problems}" if "n_problems" in meta else ""
    known = [name for name in MEANINGS if counts.get(name)]
    said = [f"{counts[name]} {MEANINGS[name]}" for name in known]
    said += [f"{n} are {name}" for name, n in counts.items() if name not in MEANINGS and n]
    part = f" ({share(counts.get(TOGETHER, 0) / total)})" if total and TOGETHER in known else ""
    listed = "; ".join(said).replace(" fire together", f"{part} fire together", 1)
    strata = meta.get("strata") or []
    same = " and ".join(column(str(name)) for name in strata)
    alike = f" Comparable are problems with the same {same}." if strata else ""
    return f"Of {total} pairs{of}{on}, {listed or 'none was tested'}.{alike}{_left_out(meta)}"


def _left_out(meta: Mapping[str, Any]) -> str:
    """The features that are in no pair."""
    said = [f"{meta[name]} {why}" for name, why in LEFT_OUT.items() if meta.get(name)]
    return f" Features in no pair: {', '.join(said)}." if said else ""


def _controls(source: Source, stored: Stored, controls: pl.DataFrame) -> Table:
    named = controls.with_columns(
        control=pl.col("control").replace_strict(NAMES, default=pl.col("control"))
    )
    caption = source.named(stored, "Pairs that fire together, in the data and in the control")
    return table_of(named, CONTROLS, id=f"{stored.slug}-controls", caption=caption)


def _named(of: Labelling | None, pairs: pl.DataFrame) -> pl.DataFrame:
    if of is None:
        return pairs
    return of.named(of.named(pairs), on="other", label="label_other")


def _pairs(source: Source, stored: Stored, together: pl.DataFrame, link: str) -> Table:
    specs = (
        Spec("feature", "Feature", "count", link=link, beneath=("label", "text", "{}")),
        Spec("other", "With feature", "count", link=link, beneath=("label_other", "text", "{}")),
        Spec("n_both", "Together", "count", "Problems on which both are active; below it on how "
             "many each of them is", beneath=("each", "text", "of {}")),
        Spec("expected", "Expected", "average", "So many if they did not know of each other"),
        Spec("expected_alike", "Among alike", "average", "So many among comparable problems"),
        Spec("phi", "Phi", "number", "Correlation of being active, -1 to 1"),
        Spec("phi_alike", "Phi, alike", "number", "The same among comparable problems"),
        Spec("q", "q", "probability", "Of the exact test, after Benjamini-Hochberg; below it the "
             "same among comparable problems", beneath=("q_alike", "probability", "alike {}")),
    )  # fmt: skip
    first = together.sort("phi", descending=True, nulls_last=True, maintain_order=True).head(SHOWN)
    frame = first.with_columns(each=pl.format("{} and {}", "n_feature", "n_other"))
    caption = source.named(stored, "The pairs that fire together most")
    found = table_of(frame, specs, id=f"{stored.slug}-pairs", caption=caption)
    counts = stored.artifact.meta.get("verdicts")
    total = counts.get(TOGETHER) if isinstance(counts, Mapping) else None
    return first_of(found, max(total or 0, together.height))


def _map(source: Source, stored: Stored, mapped: pl.DataFrame) -> Figure:
    """Below the diagonal phi, above it the verdict."""
    mapped = _few(mapped)
    n = len({*mapped["place"], *mapped["other_place"]})
    together = pl.col("verdict") == TOGETHER
    once = mapped.filter(pl.col("place") > pl.col("other_place"))
    below = once.filter((pl.col("phi").abs() >= BLANK) | together)
    above = mapped.filter(pl.col("place") < pl.col("other_place"), together)
    cells = pl.concat([
        below.select(*MAP[:2], pl.col("phi").round(3), "place", "other_place",
                     together=pl.lit(value=False)),
        above.select(*MAP[:2], pl.col("phi").round(3), "place", "other_place",
                     together=pl.lit(value=True)),
    ])  # fmt: skip
    strongest = once.sort("phi", descending=True, nulls_last=True).row(0, named=True)
    many = once.filter(together).height
    blank = f"|phi| below {BLANK} is left blank"
    alt = (
        f"A map of {n} features, clustered: {many} of {once.height} pairs fire together. The "
        f"largest phi is {number(strongest['phi'])}, of features {strongest['feature']} and "
        f"{strongest['other']}. Below the diagonal phi, where {blank}; above it a dark cell for "
        "each pair that fires together."
    )
    caption = source.named(
        stored,
        f"The {n} features that fire together with the most others: phi below the diagonal "
        f"({blank}), above it the pairs called together",
    )
    return Figure(f"{stored.slug}-map", caption, alt, pairs_chart(cells, n))


def _few(mapped: pl.DataFrame) -> pl.DataFrame:
    """Those of the features that fire together with the most others, where there are very many."""
    together = (pl.col("verdict") == TOGETHER).sum()
    counts = mapped.group_by("feature").agg(together.alias("n"))
    kept = counts.sort("n", "feature", descending=[True, False]).head(MAPPED)["feature"].implode()
    return mapped.filter(pl.col("feature").is_in(kept), pl.col("other").is_in(kept))
