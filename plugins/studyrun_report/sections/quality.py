"""SAE quality: how much of the activations the SAE keeps, and how often its features are active."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from studyrun_report.blocks import Block, Figure, Section, Table
from studyrun_report.drawing.charts import frequency_chart
from studyrun_report.labelling import labellings
from studyrun_report.sections.dictionary import dictionary, training
from studyrun_report.sections.given import given_saes, misfits
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, table_of
from studyrun_report.writing.text import number, share

__all__ = ["POINTS", "explained_variances", "section", "thinned"]

QUALITY = (
    Spec("split", "Split"),
    Spec("n", "n", "count", "Problems"),
    Spec("explained_variance", "Explained variance", "number",
         "1 - FVU: 1 - sum |x - x_hat|² / sum |x - mean(x)|², centred per dimension"),
    Spec("fvu", "FVU", "number", "Fraction of variance unexplained"),
    Spec("explained_variance_seed", "Explained variance, pooled", "number",
         "1 - var(x - x_hat) / var(x) over all entries, as in the study's predecessor; blind to "
         "constant errors"),
    Spec("l0", "L0", "number", "Mean number of active features per problem"),
    Spec("dead", "Dead features", "count", "Active on none of the n problems"),
    Spec("dead_share", "Dead share", "share"),
)  # fmt: skip


POINTS = 1000
"""Of a curve, more than a picture has pixels."""


def section(source: Source) -> Section | None:
    """Quality by split, and what its features are taken together, for every SAE of the study."""
    shown = (*_tables(source), *training(source), *_curves(source), *dictionary(source))
    blocks = (*given_saes(source), *misfits(source), *shown)
    lead = (
        "How well the SAE's reconstruction stands for the activations, by split: an SAE that was "
        "trained here has seen no problems but those for training."
    )
    return Section("quality", "SAE quality", blocks, lead) if blocks else None


def explained_variances(source: Source) -> Iterator[tuple[str, str]]:
    """Of every SAE a title and what it explains of problems that it was not trained on."""
    for stored in _with_quality(source):
        frame = stored.other("quality")
        if frame is not None and {"split", "explained_variance"} <= set(frame.columns):
            held_out = frame.filter(pl.col("split") != "train").head(1)
            title = source.named(stored, "Explained variance")
            for split, value in held_out.select("split", "explained_variance").iter_rows():
                yield title, f"{number(value)} on {split} problems"


def _with_quality(source: Source) -> list[Stored]:
    """SAEs; where there is none, encodings, which carry the same numbers."""
    for type_name in ("sae", "feature-acts"):
        found = [each for each in source.of_type(type_name) if each.has(table="quality")]
        if found:
            return found
    return []


def _tables(source: Source) -> Iterator[Table]:
    for stored in _with_quality(source):
        frame = stored.other("quality")
        assert frame is not None
        about = _about(stored.artifact.meta)
        caption = source.named(stored, f"Reconstruction by split{about}")
        yield table_of(frame, QUALITY, id=f"{stored.slug}-quality", caption=caption)


def _about(meta: Any) -> str:
    known = [f"{name} {meta[name]}" for name in ("layer", "position", "d_sae", "k")
             if meta.get(name) is not None]  # fmt: skip
    return f": {', '.join(known)}" if known else ""


def _curves(source: Source) -> Iterator[Block]:
    for of in labellings(source):
        if {"rank", "frequency"} <= {*of.table.columns}:
            ranges = [_ends(text) for text in of.stored.artifact.meta.get("ranks", ())]
            yield from _curve(source, of.stored, of.table, ranges)


def thinned(active: pl.DataFrame) -> pl.DataFrame:
    """Where the curve falls, and its last point; about `POINTS` of them where there are more."""
    falls = active.filter(pl.col("frequency") != pl.col("frequency").shift())
    some = falls.gather_every(1 + falls.height // POINTS)
    points = pl.concat([active.head(1), some, active.tail(1)])
    return points.unique("rank", maintain_order=True)


def _ends(text: str) -> tuple[int, int]:
    first, last = text.split("-")
    return int(first), int(last)


def _curve(
    source: Source, stored: Stored, labels: pl.DataFrame, ranges: Sequence[tuple[int, int]]
) -> Iterator[Figure]:
    known = labels.select("rank", "frequency").filter(pl.col("frequency").is_finite())
    active = known.filter(pl.col("frequency") > 0).sort("rank")
    if active.is_empty():
        return
    silent, shares = known.height - active.height, active["frequency"].to_list()
    often = active.filter(pl.col("frequency") > 0.5).height
    on = stored.problems
    alt = (
        f"A falling curve: the most frequent feature is active on "
        f"{share(max(shares))} of {on}, the least frequent one that is "
        f"active at all on {share(min(shares))}; {often} of {known.height} features "
        f"are active on more than half of them, {silent} on none."
    )
    caption = source.named(stored, f"Activation frequency by rank, logarithmic, on {on}")
    chart = frequency_chart(thinned(active), ranges)
    yield Figure(f"{stored.slug}-frequency", caption, alt, chart)
