"""Which columns the problems will have, told before they are made; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun_data.params import Gsm8k, Jsonl, WordProblems

if TYPE_CHECKING:
    from collections.abc import Iterable

    from studyrun import Bound

__all__ = ["COLUMNS", "columns_of", "has_pairs"]

COLUMNS = ("id", "question", "solution", "answer", "split", "steps", "n_steps")
"""Of every data set."""


def columns_of(steps: Iterable[Bound]) -> tuple[str, ...] | None:
    """The columns of the problems that are among what the steps make.

    None where there is none, or a data set of another plugin, which may have more.
    """
    sources = [each.params for each in steps if each.component.makes == "problems"]
    if not sources or not all(isinstance(each, WordProblems | Gsm8k | Jsonl) for each in sources):
        return None
    return (*COLUMNS, "pair") if any(map(has_pairs, sources)) else COLUMNS


def has_pairs(source: object) -> bool:
    """Whether a data set with these parameters has the column `pair`."""
    return isinstance(source, WordProblems) and bool(
        source.contrast_operations or source.contrast_values
    )
