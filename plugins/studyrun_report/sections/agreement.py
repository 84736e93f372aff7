"""Agreement: what several classifiers say of the same features, and where they part."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import polars as pl

from studyrun_classify.kinds import UNSPECIFIC, is_labelled
from studyrun_report.blocks import Block, Section, Table
from studyrun_report.sections.differences import differences
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, table_of
from studyrun_report.writing.text import harmless

__all__ = ["section"]

COMPARED = ("feature", "classifier", "label", "kind", "verdict")
AGREEMENT = (
    Spec("classifier", "Classifier"),
    Spec("other", "Other"),
    Spec("n_features", "Features", "count"),
    Spec("both_labelled", "Both label", "count", "Features with a label by both"),
    Spec("same_label", "Same label", "count", "Those of them with the same label by both"),
    Spec("same_kind", "Same answer", "count",
         "Of all features those with one kind of label by both, or with no label by both"),
    Spec("kappa", "Kappa", "number",
         "Cohen's kappa of these answers, 0 where they agree as often as by chance and 1 where "
         "always; with its 95 % interval", ends=("ci_low", "ci_high")),
)  # fmt: skip
SAME, OTHER = "same label", "another label"


def section(source: Source) -> Section | None:
    """For every labelling by several classifiers their agreement, and examples of the contrary."""
    blocks = tuple(
        block for stored in source.of_type("labels") for block in _blocks(source, stored)
    )
    lead = (
        "The same features, concepts and problems, labelled by several rules. Where one gives a "
        "label and another finds nothing or too few problems, the label is the rule's and not the "
        "feature's."
    )
    return Section("agreement", "Classifiers compared", blocks, lead) if blocks else None


def _blocks(source: Source, stored: Stored) -> Iterator[Block]:
    found = stored.having("compared", *COMPARED)
    answers = None if found is None else found.drop_nulls(["feature", "classifier"])
    if answers is None or answers["classifier"].n_unique() < 2:
        return
    pairs = stored.having("agreement", "classifier", "other")
    if pairs is not None:
        caption = source.named(stored, "Agreement of classifiers")
        yield table_of(pairs, AGREEMENT, id=f"{stored.slug}-agreement", caption=caption)
    answers = answers.with_columns(labelled=is_labelled())
    if answers["labelled"].any():
        yield _crossed(source, stored, answers)
    yield from differences(source, stored, answers)


def _crossed(source: Source, stored: Stored, answers: pl.DataFrame) -> Table:
    """What each classifier says of the features that another one labels."""
    names = answers["classifier"].unique(maintain_order=True).to_list()
    own = {name: answers.filter(pl.col("classifier") == name) for name in names}
    rows = pl.concat(
        [_row(one, other, own[one], own[other]) for one, other in permutations(names, 2)],
        how="diagonal",
    )
    silent = [kind for kind in UNSPECIFIC if kind in rows.columns]
    specs = (
        Spec("classifier", "Labelled by"),
        Spec("labelled", "Features", "count"),
        Spec("other", "Classifier asked"),
        *(Spec(name, name.capitalize(), "count", group="It says") for name in (SAME, OTHER)),
        *(Spec(kind, harmless(kind).capitalize(), "count", group="It says") for kind in silent),
    )
    caption = source.named(stored, "What one classifier says of the features that another labels")
    some = rows.filter(pl.col("labelled") > 0)
    filled = some.with_columns(pl.col(SAME, OTHER, *silent).fill_null(0))
    return table_of(filled, specs, id=f"{stored.slug}-crossed", caption=caption)


def _row(one: str, other: str, ours: pl.DataFrame, theirs: pl.DataFrame) -> pl.DataFrame:
    named = ours.filter("labelled").join(theirs, on="feature", suffix="_other")
    said = (
        pl.when(~pl.col("labelled_other"))
        .then(pl.col("kind_other").fill_null(UNSPECIFIC[0]))
        .when(pl.col("label") == pl.col("label_other"))
        .then(pl.lit(SAME))
        .otherwise(pl.lit(OTHER))
    )
    counts = dict(named.group_by(said.alias("said")).len().iter_rows())
    row = {"classifier": one, "other": other, "labelled": named.height, SAME: 0, OTHER: 0}
    return pl.DataFrame(row | counts)
