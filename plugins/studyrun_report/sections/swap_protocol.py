"""Swap protocol: whether exchanging two features exchanges what they are labelled with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from studyrun_report.blocks import Block, Section, Text
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec, first_of, table_of
from studyrun_report.writing.text import harmless

__all__ = ["inconclusive", "section"]

NEEDED = ("concept", "concept_b", "feature", "feature_b", "n", "n_needed", "verdict", "reason")
SWAP, NULL = "Swap", "Null swap"
TABLE = (
    Spec("pair", "Concept", beneath=("feature", "count", "feature {}")),
    Spec("pair_b", "Exchanged with", beneath=("feature_b", "count", "feature {}")),
    Spec("verdict", "Verdict", beneath=("p", "probability", "p {}"),
         about="supported where more answers move towards the counterfactual one than by the null "
         "swap; below it the p-value of the one-sided test"),
    Spec("n", "Problems", "count",
         "Problems on which the swap has a direction and a feature is active, of those that the "
         "test takes", beneath=("n_needed", "count", "{} needed")),
    Spec("problems", "From", about="The study's own problems, or the component that made them"),
    Spec("power", "Power", "share", "The probability that so many problems find the effect asked "
         "for"),
    Spec("exact", "Exact", "share", "Answers that are the counterfactual one",
         ends=("exact_ci_low", "exact_ci_high"), group=SWAP),
    Spec("towards", "Towards", "share", "Answers nearer to the counterfactual one than before",
         ends=("towards_ci_low", "towards_ci_high"), group=SWAP),
    Spec("unchanged", "Unchanged", "share", "Answers that stay as they were", group=SWAP),
    Spec("null_exact", "Exact", "share",
         "The same where two other features, alike in frequency and activation, are exchanged",
         group=NULL),
    Spec("null_towards", "Towards", "share", group=NULL),
    Spec("null_unchanged", "Unchanged", "share", group=NULL),
    Spec("null_pair", "Features", about="Which two", group=NULL),
    Spec("reason", "Reason"),
)  # fmt: skip
VERDICTS = ("supported", "refuted", "inconclusive")


def section(source: Source) -> Section | None:
    """The pairs of every step that ran the protocol."""
    blocks = tuple(
        block for stored in source.of_type("effects") for block in _blocks(source, stored)
    )
    lead = (
        "If two features stand for two things, exchanging the features exchanges the things: the "
        "answer should move towards that of the problem with the two exchanged, and more often "
        "than when two other features are exchanged on the same problems."
    )
    return Section("swap-protocol", "Swap protocol", blocks, lead) if blocks else None


def inconclusive(stored: Stored) -> Iterator[str]:
    """A sentence for each pair of which nothing can be said."""
    for row in _pairs(stored).filter(pl.col("verdict") == "inconclusive").iter_rows(named=True):
        why = (row["reason"] or "no reason is given").rstrip(".")
        known = row["n"] is not None and row["n_needed"] is not None
        said = not known or str(row["n_needed"]) in why
        many = "" if said else f" ({row['n']} problems, {row['n_needed']} needed)"
        yield harmless(
            f"{stored.step}: exchanging {row['pair']} and {row['pair_b']} is inconclusive: "
            f"{why}{many}."
        )


def _blocks(source: Source, stored: Stored) -> Iterator[Block]:
    pairs = _pairs(stored)
    if pairs.is_empty():
        if "protocol" in stored.artifact.table_names:
            reason = stored.artifact.meta.get("reason") or "there is no pair to exchange"
            yield Text(harmless(f"{stored.step}: {reason}."))
        return
    counts = {name: int((pairs["verdict"] == name).sum()) for name in VERDICTS}
    said = ", ".join(f"{n} {name}" for name, n in counts.items() if n)
    pair = f"{pairs.height} pair{'s' * (pairs.height > 1)}"
    yield Text(harmless(f"{stored.step}: {pair}, {said or 'without a verdict'}."))
    identity = f"{stored.slug}-protocol"
    caption = harmless(f"{stored.step}: features exchanged, beside the null swap")
    shown = pairs.head(source.params.edits)
    yield first_of(table_of(shown, TABLE, id=identity, caption=caption), pairs.height)


def _pairs(stored: Stored) -> pl.DataFrame:
    """The protocol, with what the pairs are called; empty where there is none."""
    found = stored.having("protocol", *NEEDED)
    if found is None:
        return pl.DataFrame(schema=dict.fromkeys((*NEEDED, "pair", "pair_b"), pl.String))
    return found.with_columns(
        pair=_called("concept", "feature"),
        pair_b=_called("concept_b", "feature_b"),
        null_pair=_both(found, ("null_feature", "null_feature_b")),
    )


def _called(concept: str, feature: str) -> pl.Expr:
    return pl.coalesce(pl.col(concept), pl.format("feature {}", feature), pl.lit("unknown"))


def _both(found: pl.DataFrame, names: Sequence[str]) -> pl.Expr:
    """`377 and 394`; null where either is not known."""
    there = set(names) <= set(found.columns)
    return pl.format("{} and {}", *names) if there else pl.lit(None, pl.String)
