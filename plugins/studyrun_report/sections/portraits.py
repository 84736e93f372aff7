"""Portraits: each labelled feature by itself, what its label rests on and its problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from studyrun_report.blocks import Feature, Table
from studyrun_report.source import Source, Stored
from studyrun_report.tables import Spec, table_of
from studyrun_report.text import harmless, interval, number, probability, share

__all__ = ["portraits"]

TEXT = 600
PROBLEMS = (
    Spec("id", "Problem"),
    Spec("activation", "Activation", "number"),
    Spec("question", "Question"),
    Spec("steps", "Steps"),
    Spec("answer", "Answer", "exact"),
)
CONTROLS = {
    "permuted_rate": "with labels permuted it is labelled in {} of runs",
    "matched_rate": "a random feature that is active as often is labelled in {} of runs",
    "untrained_rate": "of features of the untrained model {} are labelled",
}
"""How the control in that column is said."""


def portraits(source: Source, stored: Stored, shown: pl.DataFrame) -> Iterator[Feature]:
    """One for each row of `shown`, labelled features with their odds."""
    top = _top_problems(source, stored)
    for row in shown.iter_rows(named=True):
        identity = f"{stored.slug}-feature-{row['feature']}"
        yield Feature(
            id=identity,
            feature=row["feature"],
            label=harmless(row["label"] or ""),
            kind=harmless(row["kind"] or ""),
            evidence=harmless(_evidence(row), TEXT),
            controls=_controls(row),
            problems=_problems(identity, row["feature"], top, source.params.top_problems),
        )


def _evidence(row: Mapping[str, Any]) -> str:
    """What the label rests on, in one sentence; as much of it as is known."""
    q = row.get("q")
    certainty = "" if q is None else f", q = {probability(q)}"
    larger = ""
    if row.get("auroc") is not None:
        larger = (
            "of two comparable problems the one with the concept has the larger activation in "
            f"{share(row['auroc'])} of pairs (odds {_odds(row)})"
        )
    if larger and row.get("test") != "probe":
        always = "It is nearly always active where it is active at all, so its strength was tested"
        return f"{always}: {larger}{certainty}."
    if row.get("rate") is None or row.get("n") is None:
        return ""
    where = f" ({row['evidence']})" if row.get("evidence") else ""
    against = ""
    if row.get("expected_rate") is not None:
        against = f", against {share(row['expected_rate'])} expected of comparable problems"
    elif row.get("base_rate") is not None:
        against = f", against {share(row['base_rate'])} of all problems"
    odds = f"; odds ratio {_odds(row)}" if row.get("odds") is not None else ""
    if larger:
        odds = f"; {larger}"
    counts = "" if row.get("n_with") is None else f"{row['n_with']} of "
    have = f"{counts}{row['n']} active problems{where} have the concept"
    return f"{have} ({share(row['rate'])}){against}{odds}{certainty}."


def _odds(row: Mapping[str, Any]) -> str:
    if row.get("odds_low") is None:
        return number(row.get("odds"))
    return f"{number(row.get('odds'))}, 95 % interval {interval(row['odds_low'], row['odds_high'])}"


def _controls(row: Mapping[str, Any]) -> str:
    """How the feature stands against its controls, as far as there are any."""
    said = [
        words.format(share(row[name]))
        for name, words in CONTROLS.items()
        if row.get(name) is not None
    ]
    if row.get("stability") is not None:
        again = f"in {share(row['stability'])} of SAEs with other seeds it has the same label"
        cosine = row.get("match_cosine")
        said.append(again if cosine is None else f"{again} (mean cosine {number(cosine)})")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}." if text else ""


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
