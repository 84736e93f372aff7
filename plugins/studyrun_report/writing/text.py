"""Values as they are written in a report: numbers in few digits, strings made harmless."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from studyrun_report.writing.visible import harmless

__all__ = [
    "NOTHING",
    "NO_BREAK",
    "PERCENT",
    "average",
    "code_span",
    "column",
    "counted",
    "exact",
    "harmless",
    "interval",
    "markdown",
    "number",
    "plain",
    "probability",
    "set_of",
    "share",
    "share_within",
    "some",
]

NOTHING = "\N{EN DASH}"
"""Stands where there is no value."""
UNDEFINED = "undefined"
MARKDOWN_SPECIAL = re.compile(r"([\\`*_\[\]|#~>])")
FIRST = 3
"""So many of a list are shown."""
NO_BREAK = "\N{NO-BREAK SPACE}"
PERCENT = f"{NO_BREAK}%"


def markdown(text: str) -> str:
    """The text as Markdown that shows it as it is."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;")
    return MARKDOWN_SPECIAL.sub(r"\\\1", safe)


def code_span(text: str) -> str:
    """The text as a code span of Markdown, whatever backticks it holds."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"


def number(value: float | None) -> str:
    """Three significant digits, more for whole parts: 1495, 0.873, 3.6e-05, 4.5e+08."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return UNDEFINED
    size = abs(value)
    if 1000 <= size < 1e6 or value == 0:
        return f"{value:.0f}"
    if size < 0.001 or size >= 1e6:
        return f"{value:.1e}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(size)))}f}"


def average(value: float | None) -> str:
    """A mean of counts, in about three digits, none without need: 443, 36.5, 0.2."""
    if value is None or not math.isfinite(value):
        return number(value)
    return exact(round(value, sum(abs(value) < limit for limit in (10, 100))))


def exact(value: float | None) -> str:
    """The number as it was given: 16, 2.5."""
    return number(value) if value is None or not math.isfinite(value) else f"{value:.12g}"


def share(value: float | None) -> str:
    """A share as a percentage with one decimal, two digits below one percent: 24.1 %, 0.36 %."""
    if value is None or not math.isfinite(value):
        return number(value)
    percent = 100 * value
    if 0 < abs(percent) < 1:
        written = f"{percent:.2f}" if abs(percent) >= 0.1 else f"{percent:.1g}"
    else:
        written = f"{percent:.0f}" if percent in (0, 100) else f"{percent:.1f}"
    return f"{written}{PERCENT}"


def share_within(value: float | None, low: float | None, high: float | None) -> str:
    """A share with its interval, the sign written once: 7.0 %, 5.1 to 9.6."""
    return f"{share(value)}, {interval(low, high, lambda end: share(end).removesuffix(PERCENT))}"


def probability(value: float | None) -> str:
    """A p- or q-value: 0.043, 2.1e-11, and below 1e-300 no more than that."""
    if value is None or not math.isfinite(value):
        return number(value)
    if value < 1e-300:
        return "below 1e-300"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


def column(name: str) -> str:
    """A column of the problems in words: `number of steps` of `n_steps`."""
    words = name.replace("_", " ")
    return f"number of {words.removeprefix('n ')}" if words.startswith("n ") else words


def counted(value: int | None) -> str:
    """A count, all its digits."""
    return NOTHING if value is None else str(value)


def set_of(values: Sequence[Any] | None) -> str:
    """`64 features`."""
    return NOTHING if values is None else f"{len(values)} feature{'s' * (len(values) != 1)}"


def some(values: Sequence[Any] | None) -> str:
    """The first few of a list, and how many more there are: `3, 17, 20 and 61 more`."""
    if values is None:
        return NOTHING
    first = ", ".join(harmless(str(value), 40) for value in values[:FIRST])
    return first if len(values) <= FIRST else f"{first} and {len(values) - FIRST} more"


def interval(low: float | None, high: float | None, write: Any = number) -> str:
    """`0.09 to 0.11`."""
    if low is None or high is None:
        return NOTHING
    return f"{write(low)} to {write(high)}"


def plain(value: Any) -> Any:
    """The value as JSON: no NaN, no infinity, harmless strings."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case str():
            return harmless(value)
        case list() | tuple():
            return [plain(each) for each in value]
        case dict():
            return {harmless(str(name)): plain(each) for name, each in value.items()}
    return harmless(str(value))
