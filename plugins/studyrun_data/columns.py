"""Which columns the tables of data sets have, told before they are made; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun import Table
from studyrun_data.params import Gsm8k, Jsonl, WordProblems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from studyrun import Bound

__all__ = ["COLUMNS", "MALFORMED", "PAIRED", "PROBLEMS", "columns_of", "has_pairs", "tables"]

CALCULATION = (
    "Struct({'expression': String, 'operands': List(Float64), 'operators': List(String),"
    " 'result': Float64})"
)
PROBLEMS = Table({
    "id": "String",
    "question": "String",
    "solution": "String",
    "answer": "Float64",
    "split": "String",
    "steps": f"List({CALCULATION})",
    "n_steps": "UInt32",
})  # fmt: skip
"""One row a problem; the row's number is the problem's number everywhere else."""
PAIRED = Table({**PROBLEMS.columns, "pair": "UInt32"})
"""The same for contrast pairs; partners share a number."""
MALFORMED = Table({"id": "String", "place": "String", "text": "String", "reason": "String"})
"""One row a part that could not be read or contradicts itself; `id` is empty for a whole line."""
COLUMNS = tuple(PROBLEMS.columns)
"""Of every data set."""


def tables(params: WordProblems | Gsm8k | Jsonl) -> Mapping[str, Table]:
    """The problems, and what could not be read of them."""
    return {"table": PAIRED if has_pairs(params) else PROBLEMS, "malformed": MALFORMED}


def columns_of(steps: Iterable[Bound]) -> tuple[str, ...] | None:
    """The columns of the problems that are among what the steps make.

    None where there is none, or a data set of another plugin, which may have more.
    """
    sources = [each.params for each in steps if each.component.makes == "problems"]
    if not sources or not all(isinstance(each, WordProblems | Gsm8k | Jsonl) for each in sources):
        return None
    return tuple(PAIRED.columns) if any(map(has_pairs, sources)) else COLUMNS


def has_pairs(source: object) -> bool:
    """Whether a data set with these parameters has the column `pair`."""
    return isinstance(source, WordProblems) and bool(
        source.contrast_operations or source.contrast_values
    )
