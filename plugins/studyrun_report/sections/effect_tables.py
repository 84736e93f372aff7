"""Tables of effects: for each effect that reads runs its edits, controls and verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from studyrun_intervene.columns import OF_RECONSTRUCTION, wide_columns
from studyrun_report.blocks import Block, Table, Text
from studyrun_report.effects.edits import (
    FEW,
    by_rank,
    by_size,
    edit_specs,
    groups,
    measured,
    was_measured,
)
from studyrun_report.effects.quantities import (
    GROUPS,
    MEASURE,
    Group,
    Quantity,
    quantity,
    strange,
)
from studyrun_report.labelling import link_to
from studyrun_report.source import Source, Stored
from studyrun_report.writing.tables import WIDEST, WRITERS, Spec, first_of, plain_specs, table_of
from studyrun_report.writing.text import harmless

__all__ = ["middle", "others", "tables"]

VERDICTS = ("effect", "no-effect", "insufficient")
RUN = (
    Spec("n_run", "Run", "count", "Problems run through the model on which the edit acts"),
    Spec("moved", "Moved", "share", "How far it moves the residual there, of its norm"),
)
RIGHT = (
    Spec("answer_right_after", "Right after", "share",
         "Share of right answers with the edit, and without it",
         beneath=("answer_right_before", "share", "before {}")),
)  # fmt: skip
ORDER = "Edits called an effect come first, then those with the largest size."
FACTS = ("answer_right_before", "answer_right_after")
RANDOM = (
    "The mean size of the same runs with the difference turned into a random direction of the "
    "same norm"
)
CALLED = (
    "Whether it is larger than in a random direction and above the noise; below it the q-value of "
    "the one-sided test"
)
OF_EDITS = ("feature", "features", "scale", "n", "n_active", "n_donors", "rank", "kind", "label",
            "mean_abs_activation")  # fmt: skip
"""Columns of the built-in steps that say what an edit is."""


def tables(source: Source, stored: Stored, edits: pl.DataFrame) -> Iterator[Block]:
    """For each group what it says in words, its table, and the rest of it folded away."""
    for group in groups(edits):
        told = [quantity(name) for name in group.main if was_measured(edits, name)]
        found = {each.name: measured(stored, edits, each) for each in told}
        for each in told:
            yield Text(harmless(_sentence(each, found[each.name]), 1000))
        ranked = by_size(found[told[0].name]) if told else by_rank(edits)
        for names, rest in ((group.shown, False), (group.folded, True)):
            there = [quantity(name) for name in names if was_measured(edits, name)]
            if there:
                yield _table(source, stored, ranked, group, there, rest=rest)


def _table(
    source: Source,
    stored: Stored,
    ranked: pl.DataFrame,
    group: Group,
    there: Sequence[Quantity],
    *,
    rest: bool,
) -> Table:
    shown = ranked.head(source.params.edits)
    for each in there:
        shown = shown.with_columns(_size(stored, shown, each).alias(f"{each.name}_size"))
    right = RIGHT if group.name == "answer" and not rest else ()
    columns = (spec for each in there for spec in _specs(each, shown))
    specs = (*edit_specs(ranked, link_to(source, stored)), *RUN, *right, *columns)
    more = ", other measures" if rest else ""
    caption = harmless(f"{stored.step}: {group.title}{more}")
    identity = f"{stored.slug}-{group.name}{'-more' if rest else ''}"
    note = ORDER if ranked.height > FEW else ""
    table = table_of(shown, specs, id=identity, caption=caption, note=note, folded=rest)
    return first_of(table, ranked.height)


def _size(stored: Stored, shown: pl.DataFrame, of: Quantity) -> pl.Series:
    """The mean |value| of what may be negative; elsewhere it is the mean."""
    nothing = pl.Series([None] * shown.height, dtype=pl.Float64)
    return measured(stored, shown, of)["size"] if of.signed else nothing


def _specs(of: Quantity, shown: pl.DataFrame) -> Iterator[Spec]:
    name, form = of.name, of.form
    if f"{name}_verdict" not in shown.columns:
        yield Spec(name, of.title, form, of.about)
        return
    ends = (f"{name}_ci_low", f"{name}_ci_high")
    about = f"{of.about}; with its interval" if of.about else "With its interval"
    below = (f"{name}_q", "probability", "q {}")
    yield Spec(name, "Mean", form, about, ends=ends, group=of.title)
    yield Spec(f"{name}_size", "Size", form, "Mean of its absolute value", group=of.title)
    yield Spec(f"{name}_random", "Random", form, RANDOM, group=of.title)
    yield Spec(f"{name}_verdict", "Verdict", about=CALLED, beneath=below, group=of.title)


# In words


def _sentence(of: Quantity, found: pl.DataFrame) -> str:
    """How many edits are called what, what more problems would do, and how large the noise is."""
    total, verdicts = found.height, found["verdict"].drop_nulls()
    counts = {name: int((verdicts == name).sum()) for name in VERDICTS}
    said = [f"{n} {name}" for name, n in counts.items() if n]
    others = total - sum(counts.values())
    if others:
        said.append(f"{others} without")
    if others == total:
        called = "nothing is called an effect or none, as there is no control"
    elif total == 1:
        called = f"the edit is called {said[0].removeprefix('1 ')}"
    else:
        first = said[0].replace(" ", f" of {total} edits called ", 1)
        called = ", ".join([first, *said[1:]])
    return f"{of.title}: {called}.{_needed(found)}{_noise(found, of)}"


def _needed(found: pl.DataFrame) -> str:
    """How many problems the insufficient ones would take, where that is known."""
    short = found.filter(pl.col("verdict") == "insufficient")
    if short.is_empty():
        return ""
    n = middle(short["n_needed"])
    if n is None:
        return " Too few problems are acted on for any test."
    known = short.filter(pl.col("n_needed").is_finite()).height
    takes = f"would take {n} problems on which"
    if short.height == 1:
        return f" To tell it from a random direction {takes} it acts."
    if known == 1:
        return f" To tell one of the insufficient ones from a random direction {takes} it acts."
    which = "" if known == short.height else f" of the {known} for which that is known"
    ones = "To tell the insufficient ones from a random direction"
    return f" {ones} {takes} they act, in the median{which}."


def middle(values: pl.Series) -> int | None:
    """The median, one of the values; None where none is finite."""
    known = values.cast(pl.Float64)
    value = known.filter(known.is_finite()).quantile(0.5, interpolation="higher")
    return None if value is None else int(value)


def _noise(found: pl.DataFrame, of: Quantity) -> str:
    floor: Any = found["floor"].max()
    if floor is None:
        return ""
    most = "at most " if floor else ""
    return f" Where nothing is edited, it is {most}{WRITERS[of.form](floor)}."


# What nobody wrote a specification for


def others(source: Source, stored: Stored, table: pl.DataFrame) -> Iterator[Table]:
    """Columns of other effects; all of the table's own where none is known."""
    unknown = MEASURE not in table.columns and not groups(table)
    told = _of_edits(table) if unknown else _of_edits(table) | _known(table)
    specs = [spec for spec in plain_specs(table) if spec.name not in told][:WIDEST]
    if not specs and not unknown:
        return
    shown = by_rank(table).head(source.params.edits)
    caption = harmless(f"{stored.step}: {'effects' if unknown else 'other effects'}")
    columns = (*edit_specs(table, link_to(source, stored)), *specs)
    found = table_of(shown, columns, id=f"{stored.slug}-columns", caption=caption)
    yield first_of(found, table.height)


def _of_edits(table: pl.DataFrame) -> set[str]:
    """The columns that say what an edit is."""
    specs = list(edit_specs(table))
    told = {spec.name for spec in specs} | {spec.beneath[0] for spec in specs if spec.beneath}
    if not isinstance(table.schema.get("features"), pl.List):
        return told
    return told | {*OF_EDITS, *(f"{name}_b" for name in OF_EDITS)}


def _known(table: pl.DataFrame) -> set[str]:
    """The columns of effects that have tables of their own."""
    every = [group for group in (*GROUPS, strange(table)) if group]
    names = [name for group in every for name in (*group.shown, *group.folded)]
    told = {column for name in names for column, _ in wide_columns(name, "change")}
    of_reconstruction = OF_RECONSTRUCTION if MEASURE in table.columns else ()
    return told | {*of_reconstruction, *FACTS, "n_run", "moved", *OF_EDITS}
