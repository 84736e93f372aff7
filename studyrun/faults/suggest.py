"""The one place that turns a misspelt word into "did you mean"."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest"]


def nearest(word: str, candidates: Iterable[str], at_most: int = 1) -> tuple[str, ...]:
    """The candidates that `word` may have been meant to be, the likeliest first."""
    from difflib import get_close_matches  # 10 ms, and only for somebody who mistyped

    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    close = get_close_matches(word.casefold(), by_folded, n=at_most, cutoff=0.6)
    return tuple(by_folded[folded] for folded in close)


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where no candidate is near."""
    near = nearest(word, candidates)
    return f"; did you mean {near[0]!r}?" if near else ""
