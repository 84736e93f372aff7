"""How much there will be of the problems, told before they are made; imports nothing heavy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from studyrun import StudyError
from studyrun_data.params import Gsm8k, WordProblems
from studyrun_data.split import read_indices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from studyrun import Bound

__all__ = ["Size", "size_of"]

TOKENS = 11, 7
"""Of a generated question: without any step, and for each step (the embedded model's tokens)."""
CHARACTERS = 4
"""Of a token, in English text, about."""


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

    None where it is not known: there is no data set, or one that is not on this machine, or whose
    form is the study's own.
    """
    made = [each.params for each in steps if each.component.makes == "problems"]
    source = made[0] if len(made) == 1 else None
    if isinstance(source, Gsm8k):
        return _of_gsm8k(source)
    if not isinstance(source, WordProblems):
        return None
    least, each = TOKENS
    tokens = least + each * sum(source.steps) // len(source.steps)
    return Size(source.problems, round(source.problems * source.validation), tokens)


def _of_gsm8k(params: Gsm8k) -> Size | None:
    """From its file; None without one, or where it cannot be read (the step itself says why)."""
    if params.path is None:
        return None
    try:
        modified = Path(params.path).stat().st_mtime_ns
        problems, characters = _measured(params.path, params.limit, modified)
        validation = round(problems * params.validation)
        if params.indices is not None:
            partial = params.limit is not None
            validation = len(read_indices(Path(params.indices), range(problems), partial))
    except (OSError, ValueError, KeyError, TypeError, StudyError):
        return None
    return Size(problems, validation, characters // CHARACTERS) if problems else None


@cache
def _measured(path: str, limit: int | None, modified: int) -> tuple[int, int]:  # noqa: ARG001  # part of what is cached
    """How many problems a file holds, and the characters of a question, on average."""
    with Path(path).open(encoding="utf-8") as lines:
        told = islice((line for line in lines if line.strip()), limit)
        lengths = [len(json.loads(line)["question"]) for line in told]
    return len(lengths), sum(lengths) // max(len(lengths), 1)
