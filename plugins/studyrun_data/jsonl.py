"""Your own problems: one JSON object a line, under the field names that the study gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studyrun import Context, Result
from studyrun_data.answer import marked_text, read_number
from studyrun_data.lines import (
    Line,
    LineError,
    as_text,
    convert,
    kind_of,
    read_lines,
    text_in,
    value_in,
)
from studyrun_data.params import Jsonl
from studyrun_data.problem import Malformed, Problem, Reading, Split
from studyrun_data.solution import Solution, read_solution
from studyrun_data.split import divided, draw
from studyrun_data.table import problems_artifact

__all__ = ["load", "read_problem"]

CURE = (
    "correct these lines; or name their fields (question, solution, answer, id, split; null where "
    "there is none); or write 'bad_lines: list' to leave them out and list them"
)
Record = Mapping[str, Any]


def read_problem(line: Line, params: Jsonl) -> Reading:
    """The problem of one record.

    Raises:
        LineError: a field that the parameters name is missing or of the wrong type.
    """
    question = text_in(line.record, params.question)
    if not question.strip():
        raise LineError(f"field {params.question!r} is empty")
    solution = _solution(line.record, params.solution)
    read = Solution((), ()) if params.solution is None else read_solution(solution)
    stated = _stated_answer(line.record, params.answer, solution)
    answer, unread = _answer(stated)
    name, split = _id(line, params.id), _split(line.record, params.split)
    problem = Problem(name, question, solution, read.steps, answer, split)
    return Reading(problem, (*read.malformed, *unread))


def load(params: Jsonl, context: Context) -> Result:
    """The problems of the file, in its order.

    Raises:
        StudyError: the file cannot be read, or (with `bad_lines: stop`) lines of it are bad.
    """
    first: dict[str, int] = {}

    def read(line: Line) -> Reading:
        reading = read_problem(line, params)
        name = reading.problem.id
        if first.setdefault(name, line.number) != line.number:
            raise LineError(f"its id {name!r} is that of line {first[name]} too")
        return reading

    lines = convert(read_lines(Path(params.path)), read)
    if lines.bad and (params.bad_lines == "stop" or not lines.good):
        raise lines.refusal(CURE)
    readings = list(lines.good)
    if params.split is None:
        seed = context.seed if params.seed is None else params.seed
        readings = divided(readings, draw(len(readings), params.validation, seed))
    return problems_artifact(readings, params.answers, context, lines.bad)


def _solution(record: Record, field: str | None) -> str:
    if field is None:
        return ""
    value = value_in(record, field)
    if not isinstance(value, list):
        return as_text(value, field)
    return "\n".join(as_text(piece, f"{field}[{i}]") for i, piece in enumerate(value))


def _stated_answer(record: Record, field: str | None, solution: str) -> float | str | None:
    if field is None:
        return marked_text(solution)
    value = value_in(record, field)
    if isinstance(value, bool | list | dict):
        raise LineError(f"field {field!r} is {kind_of(value)}, not a number or a string")
    return as_text(value, field) if isinstance(value, str) else value


def _answer(stated: float | str | None) -> tuple[float | None, tuple[Malformed, ...]]:
    """The answer as a number, and what is wrong with the stated one."""
    if stated is None:
        return None, ()
    answer = _number(stated)
    if answer is None:
        return None, (Malformed("answer", str(stated).strip(), "not a number"),)
    return answer, ()


def _number(stated: float | str) -> float | None:
    if isinstance(stated, str):
        return read_number(marked_text(stated) or stated)
    try:
        return float(stated) if math.isfinite(stated) else None
    except OverflowError:  # an integer beyond float64
        return None


def _id(line: Line, field: str | None) -> str:
    if field is None:
        return f"line_{line.number}"
    value = value_in(line.record, field)
    return str(value) if type(value) is int else as_text(value, field)


def _split(record: Record, field: str | None) -> Split:
    if field is None:
        return "train"
    value = value_in(record, field)
    if value not in ("train", "validation"):
        raise LineError(f"field {field!r} is {value!r}, not 'train' or 'validation'")
    return "train" if value == "train" else "validation"
