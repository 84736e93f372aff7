"""Edits: what each row of a table of effects edits, how it is called, and which come first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from studyrun_classify.kinds import UNSPECIFIC
from studyrun_report.effects.quantities import GROUPS, Group, Quantity, strange
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import Spec
from studyrun_report.writing.text import exact, harmless, set_of, some

__all__ = ["FEW", "WHERE", "alpha", "by_rank", "by_size", "edit_specs", "groups", "identified",
           "measured", "scales", "was_measured"]  # fmt: skip

FEW = 10
"""So many edits are shown in the order of the study; more of them by size."""
ALPHA = 0.05
SMALL = 3
"""A set of so many features is called by them."""
WHERE = ("layer", "position")
IDENTITY = (*WHERE, "direction", "feature", "feature_b", "features")
SUMMARY = ("size", "floor", "n_needed")
"""Columns of `effects_by_feature` that the main table lacks."""


def edit_specs(table: pl.DataFrame, link: str = "") -> Iterator[Spec]:
    """The columns that say what was edited.

    Args:
        table: of effects.
        link: what stands before a feature in the id of its page; empty where it has none.
    """
    if "direction" in table.columns:
        yield Spec("direction", "Direction")
    elif "feature" not in table.columns or table["feature"].is_null().all():
        yield Spec("layer", "Layer", "count")
        yield Spec("position", "Position")
        if isinstance(table.schema.get("features"), pl.List):
            yield Spec("features", "Edited", "set", "A set of features, edited at once",
                       beneath=("features", "some", "{}"))  # fmt: skip
    else:
        yield Spec("feature", "Feature", "count", link=link, beneath=("label", "text", "{}"))
        yield Spec("feature_b", "With feature", "count", link=link,
                   beneath=("label_b", "text", "{}"))  # fmt: skip
        yield Spec("rank", "Rank", "count", "By frequency, 1 is the most frequent feature")
    if len(scales(table)) > 1:
        yield Spec("scale", "Scale", "exact", "How much of the edit is made; 1 is all of it")


def scales(table: pl.DataFrame) -> list[float]:
    """The different scales, the smallest first; none where there is no such column."""
    if "scale" not in table.columns or not table.schema["scale"].is_numeric():
        return []
    found: list[float] = table["scale"].drop_nulls().unique().sort().to_list()
    return found


def identified(table: pl.DataFrame) -> pl.DataFrame:
    """With `edit`, its row; `name`, one at every scale; `name_scaled`, with the scale if it varies.

    Two edits that differ in more than their scale never have the same name.
    """
    known = [name for name in IDENTITY if name in table.columns]
    several = len(scales(table)) > 1
    names: dict[str, str] = {}
    taken: dict[str, int] = {}
    called, scaled = [], []
    for place, row in enumerate(table.iter_rows(named=True)):
        who = repr([row[name] for name in known]) if known else str(place)
        if who not in names:
            own = _name(row) or f"edit {place}"
            taken[own] = taken.get(own, 0) + 1
            names[who] = own if taken[own] == 1 else f"{own} ({taken[own]})"
        called.append(names[who])
        scaled.append(f"{names[who]}, scale {exact(row['scale'])}" if several else names[who])
    return _labels_alone(table).with_columns(
        edit=pl.int_range(pl.len(), dtype=pl.UInt32),
        name=pl.Series(called, dtype=pl.String),
        name_scaled=pl.Series(scaled, dtype=pl.String),
    )


def _labels_alone(table: pl.DataFrame) -> pl.DataFrame:
    """Without the labels that say nothing of a feature."""
    told = [
        suffix for suffix in ("", "_b") if {f"label{suffix}", f"kind{suffix}"} <= {*table.columns}
    ]
    silent = {
        f"label{suffix}": pl.when(~pl.col(f"kind{suffix}").is_in(UNSPECIFIC)).then(f"label{suffix}")
        for suffix in told
    }
    return table.with_columns(**silent)


def _name(row: Mapping[str, Any]) -> str:
    if row.get("direction") is not None:
        return harmless(str(row["direction"]), 60)
    if row.get("feature") is not None:
        both = (row["feature"], row.get("feature_b"))
        return harmless(" and ".join(str(each) for each in both if each is not None), 60)
    if isinstance(row.get("features"), list):
        own = row["features"]
        return f"features {some(own)}" if len(own) <= SMALL else set_of(own)
    at = [f"{name} {row[name]}" for name in WHERE if row.get(name) is not None]
    return harmless(", ".join(at), 60)


def was_measured(table: pl.DataFrame, name: str) -> bool:
    """Whether the quantity is there for any edit."""
    if name not in table.columns or not table.schema[name].is_numeric():
        return False
    return table[name].null_count() < table.height


def groups(table: pl.DataFrame) -> list[Group]:
    """The groups of which the step measured anything."""
    every = (*GROUPS, strange(table))
    return [
        group
        for group in every
        if group and any(was_measured(table, name) for name in (*group.shown, *group.folded))
    ]


def measured(stored: Stored, table: pl.DataFrame, of: Quantity) -> pl.DataFrame:
    """An identified table with `size`, `random`, `q`, `verdict`, `floor` and `n_needed` of one.

    The size is the mean |value|: that of `effects_by_feature`, or |mean| where it is not there.
    """
    own = {"random": pl.Float64, "q": pl.Float64, "verdict": pl.String}
    columns = {
        name: pl.col(f"{of.name}_{name}").cast(dtype, strict=False)
        if f"{of.name}_{name}" in table.columns
        else pl.lit(None, dtype)
        for name, dtype in own.items()
    }
    mean = pl.col(of.name).cast(pl.Float64).abs()
    found = table.drop(*own, *SUMMARY, strict=False).with_columns(mean=mean, **columns)
    summary = stored.having("effects_by_feature", "edit", "quantity", "place", *SUMMARY)
    if summary is None:
        nothing = {name: pl.lit(None, pl.Float64) for name in SUMMARY}
        return found.with_columns(**nothing | {"size": mean})
    summary = summary.filter(pl.col("quantity") == of.name, pl.col("place") == "")
    rest = summary.select(pl.col("edit").cast(pl.UInt32), *SUMMARY).unique("edit", keep="first")
    joined = found.join(rest, on="edit", how="left", maintain_order="left")
    return joined.with_columns(size=pl.coalesce("size", mean))


def by_rank(found: pl.DataFrame) -> pl.DataFrame:
    """Edits of features by the feature's rank, all others in the order of the study."""
    ranked = "rank" in found.columns
    return found.sort("rank", nulls_last=True, maintain_order=True) if ranked else found


def by_size(found: pl.DataFrame, size: str = "size") -> pl.DataFrame:
    """Few edits by rank; many with those called an effect first, then the largest.

    Args:
        found: edits with a number called `size`, and perhaps a `verdict`.
        size: its column.
    """
    if found.height <= FEW:
        return by_rank(found)
    order: list[pl.Expr] = [pl.when(pl.col(size).is_finite()).then(pl.col(size))]
    if "verdict" in found.columns:
        order.insert(0, (pl.col("verdict") == "effect").fill_null(value=False))
    return found.sort(order, descending=True, nulls_last=True, maintain_order=True)


def alpha(source: Source, stored: Stored) -> float:
    """Below which q-value the step calls something an effect."""
    given: Any = source.steps.get(stored.step)
    for name in ("with", "controls", "alpha"):
        given = given.get(name) if isinstance(given, Mapping) else None
    return given if isinstance(given, float) and 0 < given < 1 else ALPHA
