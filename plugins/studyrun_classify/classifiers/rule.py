"""The rule by shares that labels were once published with, ties and all; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["PublishedLabel", "Shares", "dominant", "published_rule"]

Ties = Literal["drop", "keep"]
PublishedType = Literal[
    "operation-specialized", "value-specialized", "highly-specialized", "general"
]


@dataclass(frozen=True, slots=True)
class Shares:
    """What makes one concept dominant: above `most`, every other one below `rest`."""

    most: float
    rest: float


@dataclass(frozen=True, slots=True)
class PublishedLabel:
    """The operation and the value that a feature's top problems are said to share."""

    operation: str | None
    value: str | None

    @property
    def type(self) -> PublishedType:
        """The published name for what was found."""
        if self.operation and self.value:
            return "highly-specialized"
        if self.operation:
            return "operation-specialized"
        return "value-specialized" if self.value else "general"


OPERATION = Shares(most=0.7, rest=0.3)
VALUE = Shares(most=0.5, rest=0.2)


def published_rule(
    with_operation: Mapping[str, int],
    with_value: Mapping[str, int],
    n_top: int,
    *,
    ties: Ties,
    operation: Shares = OPERATION,
    value: Shares = VALUE,
) -> PublishedLabel:
    """One operation above 70 % with the others below 30 %, one value above 50 % and 20 %.

    With `ties="drop"` concepts as frequent as the most frequent one are not looked at: the fault
    by which a feature whose four problems all use `*` and `+` became an "addition specialist".

    Args:
        with_operation: how many of the top problems use each operation.
        with_value: how many contain each value.
        n_top: how many top problems there are, at least one.
        ties: whether others that tie with the first are looked at.
        operation: the shares for operations.
        value: the shares for values.

    Raises:
        ValueError: `n_top` is 0, so that shares are undefined.
    """
    return PublishedLabel(
        dominant(with_operation, n_top, operation, ties), dominant(with_value, n_top, value, ties)
    )


def dominant(counts: Mapping[str, int], n: int, shares: Shares, ties: Ties) -> str | None:
    """The first most frequent concept, if it is above `shares.most` and the others below `.rest`.

    Raises:
        ValueError: n is 0, so that shares are undefined.
    """
    if n == 0:
        raise ValueError("no problems: the shares are undefined")
    if not counts:
        return None
    first = max(counts, key=lambda name: counts[name])
    others = [
        count
        for name, count in counts.items()
        if name != first and not (ties == "drop" and count == counts[first])
    ]
    clear = all(count / n < shares.rest for count in others)
    return first if counts[first] / n > shares.most and clear else None
