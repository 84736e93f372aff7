"""The grid: the parameters in which cells differ, and which of them lie along which axis."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb, prod
from typing import Any

import polars as pl

from studyrun_report.comparison.measures import SCHEMA
from studyrun_report.writing.text import NOTHING, exact, harmless

__all__ = ["Grid", "Parameter", "grid_of"]

ACROSS = ("k", "d_sae")
"""What lies along x, the first of these that varies; otherwise any number but the layer."""
UPWARDS = ("layer", "position", "d_sae")
"""What lies along y, the first of these that varies; otherwise any other number."""
NOMINAL = ("seed", "weights_seed")
"""Numbers that only name something."""
SPREAD = 4
"""From this ratio of the largest value to the smallest an axis is logarithmic."""
TAKEN = {"cell", "value", "low", "high", "shown", "panel", "series", "kind", "share", *SCHEMA}
"""Names of other columns."""
LISTED = 8
"""So many values are listed in a sentence."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something in which the cells differ."""

    title: str
    field: str
    """Its column."""
    numeric: bool
    """Whether its values are quantities, so that a line may join them."""
    values: tuple[Any, ...]
    """The different ones: quantities by size, others as they come."""

    @property
    def short(self) -> str:
        """What it is called, without the step before it."""
        name = self.title.rpartition(".")[2].lower()
        return {"layers": "layer", "positions": "position"}.get(name, name)

    @property
    def dtype(self) -> pl.DataType:
        """Of its column."""
        whole = all(isinstance(value, int) for value in self.values)
        return pl.String() if not self.numeric else pl.Int64() if whole else pl.Float64()

    @property
    def wide(self) -> bool:
        """Whether its values spread so much that their ratio is what counts."""
        low, high = self.values[0], self.values[-1]
        return self.numeric and low > 0 and bool(high >= SPREAD * low)

    def written(self) -> list[str]:
        """Its values as they are written."""
        return [exact(each) if self.numeric else str(each) for each in self.values]

    def listed(self) -> str:
        """`k (8, 16, 32)`; of many the first and last."""
        shown = self.written()
        if len(shown) > LISTED:
            return f"{self.title} ({shown[0]} to {shown[-1]}, {len(shown)} values)"
        return f"{self.title} ({', '.join(shown)})"


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The parameters, where each case lies, and the axes."""

    parameters: tuple[Parameter, ...]
    points: tuple[tuple[Any, ...], ...]
    """Of each case, as given: its value of every parameter."""
    apart: frozenset[str]
    """The columns in which, and in nothing else, some two cases differ; only these make an axis."""
    x: Parameter | None
    """None where nothing is a quantity, or none can be told from what differs with it."""
    y: Parameter | None
    """None where lines or points say it better than a map."""

    @property
    def panels(self) -> tuple[Parameter, ...]:
        """The parameters along neither axis."""
        return tuple(each for each in self.parameters if each not in (self.x, self.y))

    def named(self, short: str) -> Parameter | None:
        """The quantity of that name, if it makes an axis."""
        known = (each for each in self.parameters if each.field in self.apart)
        found = (each for each in known if each.numeric and each.short == short)
        return next(found, None)

    def order(self, case: int) -> tuple[int, ...]:
        """Sorts cases by their parameters."""
        both = zip(self.parameters, self.points[case], strict=True)
        return tuple(each.values.index(value) for each, value in both)

    def rows(self) -> list[dict[str, Any]]:
        """Column -> value, for each case."""
        fields = [each.field for each in self.parameters]
        return [dict(zip(fields, point, strict=True)) for point in self.points]

    def without(self, fields: Collection[str]) -> Grid:
        """The grid of the other parameters; its points are no longer those of cases."""
        kept = tuple(each for each in self.parameters if each.field not in fields)
        return Grid(kept, (), self.apart, *_axes(kept, self.apart))

    @property
    def combinations(self) -> int:
        """How many cells a full grid has."""
        return prod(len(each.values) for each in self.parameters)

    def neighbours(self) -> int:
        """How many pairs of cases differ in one parameter only."""
        return sum(_alike_but(self.points, i) for i in range(len(self.parameters)))

    def pairs(self) -> int:
        """How many pairs of cases there are."""
        return comb(len(self.points), 2)


def _alike_but(points: Sequence[tuple[Any, ...]], at: int) -> int:
    """Pairs that have the same values everywhere else; no two points are the same."""
    rest = Counter((*point[:at], *point[at + 1 :]) for point in points)
    return sum(comb(n, 2) for n in rest.values())


def grid_of(names: Sequence[str], differences: Sequence[Mapping[str, Any]]) -> Grid:
    """The grid of all cases; where two have the same values, their names tell them apart."""
    titles = list(dict.fromkeys(title for each in differences for title in each))
    columns = [_column(title, [each.get(title) for each in differences]) for title in titles]
    columns = [each for each in columns if len(each[0].values) > 1]
    points = list(zip(*(values for _, values in columns), strict=True)) or [()] * len(names)
    if len(set(points)) < len(points):
        columns.append(_column("cell", list(names)))
        points = [(*point, name) for point, name in zip(points, names, strict=True)]
    parameters = _told_apart([parameter for parameter, _ in columns])
    apart = frozenset(p.field for i, p in enumerate(parameters) if _alike_but(points, i))
    return Grid(parameters, tuple(points), apart, *_axes(parameters, apart))


def _column(title: str, values: Sequence[Any]) -> tuple[Parameter, list[Any]]:
    """The parameter, and its value in every case."""
    name = harmless(title, 40)
    numeric = title.rpartition(".")[2] not in NOMINAL and all(map(_is_number, values))
    found: list[Any] = list(values) if numeric else [*map(_written, values)]
    different = sorted(set(found)) if numeric else _as_numbers(dict.fromkeys(found))
    return Parameter(name, re.sub(r"\W", "_", name), numeric, tuple(different)), found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _written(value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, list) and not any(isinstance(each, list | dict) for each in value):
        return ", ".join(map(_written, value)) or "none"
    return harmless(value if isinstance(value, str) else json.dumps(value), 60)


def _as_numbers(values: Mapping[str, None]) -> list[str]:
    """Values that are whole numbers by size and before the others, which keep their order."""
    return sorted(values, key=lambda v: (0, int(v)) if re.fullmatch(r"-?\d{1,9}", v) else (1, 0))


def _told_apart(parameters: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """The parameters, no two with the same column, none with one that is taken."""
    taken, told = set(TAKEN), []
    for each in parameters:
        field = each.field
        while field in taken or not field:
            field += "_"
        taken.add(field)
        told.append(Parameter(each.title, field, each.numeric, each.values))
    return tuple(told)


def _axes(
    every: Sequence[Parameter], apart: Collection[str]
) -> tuple[Parameter | None, Parameter | None]:
    """What lies along x, and along y where at least two quantities vary."""
    parameters = [each for each in every if each.field in apart]
    by_name = {each.short: each for each in parameters}
    if {"layer", "position"} <= by_name.keys():
        return by_name["position"], by_name["layer"]
    numeric = [each for each in parameters if each.numeric]
    beside = [each for each in numeric if each.short != "layer"]
    across = [*_first_named(numeric, ACROSS), *beside, *numeric]
    x = across[0] if across else None
    upwards = [each for each in (*_first_named(numeric, UPWARDS), *numeric) if each is not x]
    return x, upwards[0] if upwards else None


def _first_named(parameters: Sequence[Parameter], names: Sequence[str]) -> Iterator[Parameter]:
    return (each for name in names for each in parameters if each.short == name)
