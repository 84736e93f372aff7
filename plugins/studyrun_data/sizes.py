"""How much there will be of the problems, told before they are made; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from studyrun_data.params import WordProblems

if TYPE_CHECKING:
    from collections.abc import Iterable

    from studyrun import Bound

__all__ = ["Size", "size_of"]

TOKENS = 11, 7
"""Of a generated question: without any step, and for each step (the embedded model's tokens)."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many problems there are, and how long they are."""

    problems: int
    validation: int
    """Those of them in the split `validation`."""
    tokens: int
    """Of a question, on average."""

    @property
    def train(self) -> int:
        """Those in the split `train`."""
        return self.problems - self.validation

    def of(self, split: str) -> int:
        """How many problems are in a split, `all` among them."""
        return {"train": self.train, "validation": self.validation}.get(split, self.problems)


def size_of(steps: Iterable[Bound]) -> Size | None:
    """The size of the problems that are among what the steps make.

    None where it is not known: there is no data set, or one that reads a file.
    """
    made = [each.params for each in steps if each.component.makes == "problems"]
    source = made[0] if len(made) == 1 else None
    if not isinstance(source, WordProblems):
        return None
    least, each = TOKENS
    tokens = least + each * sum(source.steps) // len(source.steps)
    return Size(source.problems, round(source.problems * source.validation), tokens)
