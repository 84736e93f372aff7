"""A third party's sections: one that shows something, and ones that are at fault."""

from __future__ import annotations

from dataclasses import dataclass

import altair as alt
import polars as pl

from studyrun import (
    ColumnTitle,
    Component,
    NoParams,
    Paragraph,
    Picture,
    Rows,
    Section,
    hookimpl,
)

FORECAST = pl.DataFrame({"day": ["Mon", "Tue"], "rain": [0.25, 0.5], "n": [3, 4]})


@dataclass(frozen=True)
class Weather:
    title: str = "Weather"
    """Of the section."""
    word: str = "dry"


def weather(params, findings):
    labels = findings.table("labels")
    known = 0 if labels is None else labels.height
    chart = alt.Chart(FORECAST).mark_bar().encode(x="day:N", y="rain:Q")
    top = findings.table("labels_top_problems")
    text = f"{params.word}: {known} features, {0 if top is None else top.height} problems"
    columns = (ColumnTitle("day", "Day"), ColumnTitle("rain", "Rain", "share", "Chance of it"))
    return Section(
        title=params.title,
        lead=f"Of {findings.study['study']}, {len(findings.artifacts)} steps.",
        blocks=(
            Paragraph(text),
            Rows(FORECAST, "Forecast", columns, note=params.word),
            Rows(FORECAST, "As it is"),
            Picture(chart, "Rain by day", "Two bars."),
            Picture({"mark": "point", "data": {"values": [{"url": 1, "y": 2}]},
                     "encoding": {"y": {"field": "y", "type": "quantitative"}}},
                    params.word, "A point."),
        ),
    )  # fmt: skip


def silent(params, findings):
    return None


def broken(params, findings):
    raise ZeroDivisionError("no clouds")


def nothing(params, findings):
    return "sunny"


def mistaken(params, findings):
    return Section("x", (Rows(FORECAST, "x", (ColumnTitle("snow"),)),))


def loading(params, findings):
    chart = {"data": {"url": "https://example.org/a.csv"}, "mark": "bar"}
    return Section("x", (Picture(chart, "x", "A picture."),))


def linking(params, findings):
    chart = alt.Chart(FORECAST).mark_bar().encode(x="day:N", href="day:N")
    return Section("x", (Picture(chart, "x", "A picture."),))


def unreadable(params, findings):
    return Section("x", (Picture({"mark": {"no": "mark"}}, "x", "A picture."),))


def shapeless(params, findings):
    return Section("x", (Picture({"data": {"values": []}}, "x", "A picture."),))


def leaving(params, findings):
    raise SystemExit(3)


FAULTY = (
    "broken",
    "nothing",
    "mistaken",
    "loading",
    "linking",
    "unreadable",
    "shapeless",
    "leaving",
)


@hookimpl
def studyrun_components():
    yield Component(kind="section", name="weather", version="1", params=Weather,
                    target="weather_sections:weather", summary="rain")  # fmt: skip
    for name in ("silent", *FAULTY):
        yield Component(kind="section", name=name, version="1", params=NoParams,
                        target=f"weather_sections:{name}", summary=name)  # fmt: skip
