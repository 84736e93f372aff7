"""Samples: problems on which features are active, from the strongest down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from studyrun_report.blocks import Problem, Sample, Samples
from studyrun_report.labelling import Labelling
from studyrun_report.source import Stored
from studyrun_report.writing.text import exact, harmless, number

__all__ = ["Shown", "samples"]

COLUMNS = ("feature", "place", "problem", "id", "activation")
TITLES = {
    "top": "Strongest",
    "q80-100": "Strongest fifth",
    "q60-80": "Second fifth",
    "q40-60": "Middle fifth",
    "q20-40": "Fourth fifth",
    "q0-20": "Weakest fifth",
}
"""Parts of a feature's activations by |activation|, in the order of a page."""
TOP = "top"


@dataclass(frozen=True, slots=True)
class Shown:
    """The problems that any page speaks of, each once, and every feature's samples of them."""

    problems: tuple[Problem, ...]
    samples: dict[int, tuple[Samples, ...]]


def samples(of: Labelling) -> Shown:
    """The strongest problems of each feature, and some of each part of its activations."""
    n = of.source.params.top_problems
    frames = [frame for frame in _frames(of) if frame.height and n]
    if not frames:
        return Shown((), {})
    found = pl.concat(frames)
    first = (
        found.sort("feature", "order", "place", maintain_order=True)
        .group_by("feature", "order", maintain_order=True)
        .head(n)
    )
    data = of.source.beside(of.stored, "problems")
    problems = _problems(first, data)
    place = {problem: number for number, problem in enumerate(problems["problem"])}
    numbered = first.with_columns(
        number=pl.col("problem").replace_strict(place, return_dtype=pl.UInt32),
        share=_share(first),
        steps=_marked(of, first),
    )
    return Shown(tuple(_told(problems)), _by_feature(numbered))


# Which ones


def _frames(of: Labelling) -> Iterator[pl.DataFrame]:
    """(feature, order, part, place, problem, id, activation) of everything that is there.

    The strongest are the portraits', of the same problems as the rest of the page; those of the
    labels only where there are no others.
    """
    every = None if of.portraits is None else of.portraits.having("samples", *COLUMNS, "part")
    top = of.stored.having("top_problems", *COLUMNS)
    if top is not None and (every is None or not (every["part"] == TOP).any()):
        yield _shaped(top.with_columns(part=pl.lit(TOP)))
    if every is not None:
        yield _shaped(every)


def _shaped(frame: pl.DataFrame) -> pl.DataFrame:
    order = pl.col("part").replace_strict({part: n for n, part in enumerate(TITLES)}, default=None)
    return frame.select(
        pl.col("feature").cast(pl.UInt32),
        order.cast(pl.UInt32).alias("order"),
        "part",
        pl.col("place").cast(pl.UInt32),
        pl.col("problem").cast(pl.UInt32),
        pl.col("id").cast(pl.String),
        pl.col("activation").cast(pl.Float64),
    ).drop_nulls()


def _share(found: pl.DataFrame) -> pl.Series:
    """|activation| of the largest among the feature's samples; 0 where that is none."""
    size = pl.col("activation").abs()
    largest = size.max().over("feature")
    share = pl.when(largest > 0).then(size / largest).otherwise(0.0).fill_nan(0.0)
    return found.select(share=share)["share"]


def _marked(of: Labelling, found: pl.DataFrame) -> pl.Series:
    """The steps of the problem in which the concept of the feature's label occurs."""
    nothing = found.with_columns(steps=pl.lit([], pl.List(pl.UInt32)))["steps"]
    where = of.stored.having("occurrences", "problem", "concept", "steps")
    if where is None or "concept" not in of.table.columns:
        return nothing
    own = of.table.filter(pl.col("label").is_not_null())
    own = own.select(pl.col("feature").cast(pl.UInt32), "concept")
    steps = where.select(pl.col("problem").cast(pl.UInt32), "concept", "steps")
    named = found.select("feature", "problem").join(own, on="feature", how="left",
                                                    maintain_order="left")  # fmt: skip
    joined = named.join(
        steps.unique(["problem", "concept"], keep="first"),
        on=("problem", "concept"),
        how="left",
        maintain_order="left",
    )
    return joined["steps"].fill_null([])


# The problems themselves


def _problems(found: pl.DataFrame, data: Stored | None) -> pl.DataFrame:
    """(problem, id, question, steps, answer), each once, by number."""
    wanted = found.select("problem", "id").unique("problem", keep="first").sort("problem")
    table = None if data is None else data.table
    nothing = {"question": pl.lit(""), "steps": pl.lit(None, pl.List(pl.String))}
    if table is None or "question" not in table.columns:
        return wanted.with_columns(**nothing, answer=pl.lit(None))
    answer = pl.col("answer") if "answer" in table.columns else pl.lit(None)
    texts = table.with_row_index("problem").cast({"problem": pl.UInt32})
    texts = texts.join(wanted, on="problem", how="semi").select(
        "problem", "question", steps=_steps(table), answer=answer
    )
    return wanted.join(texts, on="problem", how="left", maintain_order="left")


def _steps(problems: pl.DataFrame) -> pl.Expr:
    """`20*3=60`, `60+5=65` as parsed; the solution as it stands where nothing was parsed."""
    dtype = problems.schema.get("steps")
    inner = dtype.inner if isinstance(dtype, pl.List) else None
    if isinstance(inner, pl.Struct) and {"expression", "result"} <= set(inner.to_schema()):
        step = pl.element().struct
        result = step.field("result").cast(pl.String).str.replace(r"\.0$", "")
        return pl.col("steps").list.eval(
            pl.concat_str(step.field("expression"), pl.lit("="), result)
        )
    if "solution" in problems.columns:
        return pl.concat_list(pl.col("solution").cast(pl.String))
    return pl.lit(None, pl.List(pl.String))


def _told(problems: pl.DataFrame) -> Iterator[Problem]:
    for _, identity, question, steps, answer in problems.iter_rows():
        yield Problem(
            harmless(identity),
            harmless(question or ""),
            tuple(harmless(step or "") for step in steps or ()),
            _written(answer),
        )


def _written(answer: object) -> str:
    if answer is None:
        return ""
    return exact(answer) if isinstance(answer, float) else harmless(str(answer))


# Of each feature


def _by_feature(numbered: pl.DataFrame) -> dict[int, tuple[Samples, ...]]:
    """From rows in the order of features and parts."""
    columns = (numbered[name].to_list() for name in ("number", "activation", "share", "steps"))
    every = [
        Sample(problem, number(activation), round(share, 4), tuple(steps))
        for problem, activation, share, steps in zip(*columns, strict=True)
    ]
    told: dict[int, tuple[Samples, ...]] = {}
    start = 0
    runs = numbered.select(pl.struct("feature", "order", "part").rle().alias("run"))
    for run in runs["run"].to_list():
        end, part = start + run["len"], run["value"]
        own = Samples(TITLES[part["part"]], tuple(every[start:end]))
        told[part["feature"]] = (*told.get(part["feature"], ()), own)
        start = end
    return told
