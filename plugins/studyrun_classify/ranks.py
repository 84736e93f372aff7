"""Ranges of frequency ranks, written `50-200`; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Ranks", "faults", "parse"]


@dataclass(frozen=True, slots=True)
class Ranks:
    """The ranks first, first + 1, ..., last; 1 is the most frequent feature."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def __len__(self) -> int:
        return self.last - self.first + 1


def parse(text: str) -> Ranks:
    """The range that `50-200` names (its form is the parameter type's business)."""
    first, last = text.split("-")
    return Ranks(int(first), int(last))


def faults(texts: Sequence[str], d_sae: int | None) -> Iterator[tuple[int, str]]:
    """(index, message) of every range that is reversed, too long, or overlaps an earlier one."""
    earlier: list[Ranks] = []
    for index, ranks in enumerate(map(parse, texts)):
        message = _fault(ranks, earlier, d_sae)
        if message:
            yield index, message
        if ranks.first <= ranks.last:
            earlier.append(ranks)


def _fault(ranks: Ranks, earlier: Sequence[Ranks], d_sae: int | None) -> str:
    if ranks.first > ranks.last:
        return f"{ranks} is reversed; write {ranks.last}-{ranks.first}"
    if d_sae is not None and ranks.last > d_sae:
        return f"{ranks} ends after rank {d_sae}, the last one: the SAE has {d_sae} features"
    for other in earlier:
        if ranks.first <= other.last and other.first <= ranks.last:
            return f"{ranks} overlaps {other}; a feature must be counted in one range only"
    return ""
