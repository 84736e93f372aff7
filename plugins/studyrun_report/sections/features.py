"""Specialised features: every label with what it rests on, and its problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from studyrun_report.blocks import Block, Feature, Section, Table, Text
from studyrun_report.source import Source, Stored
from studyrun_report.tables import Spec, first_of, table_of
from studyrun_report.text import harmless, interval, number, probability, share

__all__ = ["labelled", "section"]

UNLABELLED = ("general", "insufficient")
NEEDED = ("feature", "label", "kind")
TEXT = 600
LABELS = (
    Spec("rank", "Rank", "count", "By frequency; 1 is the most frequent feature"),
    Spec("label", "Label"),
    Spec("kind", "Kind"),
    Spec("frequency", "Active on", "share", "Share of all problems of the split"),
    Spec("rate", "Rate", "share",
         "Share of the feature's active problems that have the concept, and how many they are; "
         "counted on problems that had no part in choosing the label", of="n_with/n"),
    Spec("expected_rate", "Expected", "share",
         "The rate that the feature's problems would have if only what the problems were compared "
         "within mattered, such as their number of steps"),
    Spec("base_rate", "Base rate", "share", "Share of all problems that have the concept"),
    Spec("lift", "Lift", "number", "Rate / expected rate; rate / base rate where none is given"),
    Spec("auroc", "AUROC", "number",
         "For features active nearly everywhere: how often a problem with the concept has the "
         "larger activation of two"),
    Spec("odds", "Odds ratio", "number",
         "Odds of the concept among active against inactive problems that are otherwise alike, "
         "with its 95 % interval; for an AUROC its odds", ends=("odds_low", "odds_high")),
    Spec("q", "q", "probability", "p-value after Benjamini-Hochberg"),
    Spec("verdict", "Verdict"),
)  # fmt: skip
MEANINGS = {
    "enriched": "labelled: found on one half of the problems and confirmed on the other",
    "untested": "labelled or not by shares; nothing was tested",
    "weak": "associated with a concept, but too weakly for a label",
    "not-confirmed": "associated with a concept on all problems, but not on both halves",
    "explained": "associated with a concept, but not among comparable problems",
    "not-enriched": "there were problems enough, and nothing was found",
    "insufficient": "too few problems to say",
}
"""What the verdicts of the built-in classifiers mean."""
VERDICTS = (
    Spec("verdict", "Verdict"),
    Spec("features", "Features", "count"),
    Spec("meaning", "Meaning"),
)
PROBLEMS = (
    Spec("id", "Problem"),
    Spec("activation", "Activation", "number"),
    Spec("question", "Question"),
    Spec("steps", "Steps"),
    Spec("answer", "Answer", "exact"),
)


def section(source: Source) -> Section | None:
    """The labelled features of every labelling of the study."""
    blocks = tuple(_blocks(source))
    lead = (
        "A label is a tested association between a feature and a concept. Its numbers stand "
        "beside it: the rate among the feature's problems against that of comparable problems and "
        "of all."
    )
    return Section("features", "Specialised features", blocks, lead) if blocks else None


def labelled(labels: pl.DataFrame) -> pl.DataFrame:
    """The features with a label, most certain first."""
    named = labels.filter(~pl.col("kind").is_in(UNLABELLED))
    order = [name for name in ("q", "rank", "feature") if name in named.columns]
    return named.sort(order, nulls_last=True)


def _blocks(source: Source) -> Iterator[Block]:
    for stored in source.of_type("labels"):
        if stored.has(*NEEDED) and stored.table is not None:
            yield from _labelling(source, stored, stored.table)


def _labelling(source: Source, stored: Stored, labels: pl.DataFrame) -> Iterator[Block]:
    named = labelled(labels)
    meta = stored.artifact.meta
    by = f" by {meta['classifier']}" if "classifier" in meta else ""
    many = f"{named.height} of {labels.height} features are labelled{by}"
    on = f" on {meta['n_problems']} {meta['split']} problems" if "n_problems" in meta else ""
    yield Text(harmless(source.named(stored, f"{many}{on}") + "."))
    yield from _verdicts(source, stored, labels)
    shown = _with_odds(named.head(source.params.features))
    if shown.is_empty():
        return
    first = Spec("feature", "Feature", "count", link=f"{stored.slug}-feature-")
    caption = source.named(stored, "Labelled features with their evidence")
    table = table_of(shown, (first, *LABELS), id=f"{stored.slug}-table", caption=caption)
    yield first_of(table, named.height)
    yield from _features(source, stored, shown)


def _verdicts(source: Source, stored: Stored, labels: pl.DataFrame) -> Iterator[Table]:
    """How many features came to each verdict, labelled or not."""
    if "verdict" not in labels.columns or labels.is_empty():
        return
    order = pl.col("verdict").replace_strict(
        dict(zip(MEANINGS, range(99), strict=False)), default=99
    )
    counts = labels.group_by("verdict").len("features").sort(order, "verdict")
    meaning = pl.col("verdict").replace_strict(MEANINGS, default=None, return_dtype=pl.String)
    caption = source.named(stored, "Features by verdict")
    frame = counts.with_columns(meaning=meaning)
    yield table_of(frame, VERDICTS, id=f"{stored.slug}-verdicts", caption=caption)


def _with_odds(frame: pl.DataFrame) -> pl.DataFrame:
    logs = {"log_odds": "odds", "ci_low": "odds_low", "ci_high": "odds_high"}
    known = {odds: pl.col(log).exp() for log, odds in logs.items() if log in frame.columns}
    return frame.with_columns(**known)


def _features(source: Source, stored: Stored, shown: pl.DataFrame) -> Iterator[Feature]:
    top = _top_problems(source, stored)
    for row in shown.iter_rows(named=True):
        identity = f"{stored.slug}-feature-{row['feature']}"
        yield Feature(
            id=identity,
            feature=row["feature"],
            label=harmless(row["label"] or ""),
            kind=harmless(row["kind"] or ""),
            evidence=harmless(_evidence(row), TEXT),
            problems=_problems(identity, row["feature"], top, source.params.top_problems),
        )


def _evidence(row: Mapping[str, Any]) -> str:
    """What the label rests on, in one sentence; as much of it as is known."""
    q = row.get("q")
    certainty = "" if q is None else f", q = {probability(q)}"
    if row.get("auroc") is not None:
        return (
            "It is nearly always active where it is active at all, so its strength was tested: of "
            "two comparable problems the one with the concept has the larger activation in "
            f"{share(row['auroc'])} of pairs (odds {_odds(row)}){certainty}."
        )
    if row.get("rate") is None or row.get("n") is None:
        return ""
    where = f" ({row['evidence']})" if row.get("evidence") else ""
    against = ""
    if row.get("expected_rate") is not None:
        against = f", against {share(row['expected_rate'])} expected of comparable problems"
    elif row.get("base_rate") is not None:
        against = f", against {share(row['base_rate'])} of all problems"
    odds = f"; odds ratio {_odds(row)}" if row.get("odds") is not None else ""
    have = f"{row['n_with']} of {row['n']} active problems{where} have the concept"
    return f"{have} ({share(row['rate'])}){against}{odds}{certainty}."


def _odds(row: Mapping[str, Any]) -> str:
    if row.get("odds_low") is None:
        return number(row.get("odds"))
    return f"{number(row.get('odds'))}, 95 % interval {interval(row['odds_low'], row['odds_high'])}"


def _top_problems(source: Source, stored: Stored) -> pl.DataFrame | None:
    """The stored top problems with the problems' texts, where both are there."""
    if not stored.has("feature", "place", "problem", "id", "activation", table="top_problems"):
        return None
    top = stored.other("top_problems")
    data = next((d for d in source.of_type("problems") if d.has("id", "question")), None)
    if top is None or data is None or data.table is None:
        return top
    wanted = top.select("problem").unique()
    texts = data.table.with_row_index("problem").cast({"problem": wanted.schema["problem"]})
    known = [name for name in ("question", "steps", "solution", "answer") if name in texts.columns]
    texts = texts.select("problem", *known).join(wanted, on="problem", how="semi")
    texts = texts.with_columns(steps=_steps(texts))
    return top.join(texts, on="problem", how="left", maintain_order="left")


def _steps(problems: pl.DataFrame) -> pl.Expr:
    """`20*3=60 | 60+5=65` from the parsed steps; the solution as it stands where there are none."""
    dtype = problems.schema.get("steps")
    inner = dtype.inner if isinstance(dtype, pl.List) else None
    if isinstance(inner, pl.Struct) and {"expression", "result"} <= set(inner.to_schema()):
        step = pl.element().struct
        result = step.field("result").cast(pl.String).str.replace(r"\.0$", "")
        written = pl.concat_str(step.field("expression"), pl.lit("="), result)
        return pl.col("steps").list.eval(written).list.join(" | ", ignore_nulls=True)
    return pl.col("solution") if "solution" in problems.columns else pl.lit(None, pl.String)


def _problems(identity: str, feature: int, top: pl.DataFrame | None, n: int) -> Table | None:
    if top is None or not n:
        return None
    own = top.filter(pl.col("feature") == feature).sort("place").head(n)
    if own.is_empty():
        return None
    caption = f"Problems on which feature {feature} is strongest"
    return table_of(own, PROBLEMS, id=f"{identity}-problems", caption=caption)
