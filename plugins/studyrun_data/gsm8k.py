"""GSM8K: grade-school word problems whose solutions annotate every calculation.

Source: Cobbe et al. 2021, "Training Verifiers to Solve Math Word Problems", section 2.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path

from studyrun import Context, Result, StudyError
from studyrun_data.answer import MARKER, marked_text, read_number
from studyrun_data.lines import Line, LineError, Lines, convert, read_lines, text_in
from studyrun_data.params import Gsm8k
from studyrun_data.problem import Malformed, Problem, Reading
from studyrun_data.solution import read_solution
from studyrun_data.split import divided, draw, read_indices
from studyrun_data.table import problems_artifact

__all__ = ["load", "read_problem"]

CURE = "use the official file: a string 'question' and a string 'answer' that ends in '#### 72'"


def read_problem(line: Line, part: str) -> Reading:
    """The problem of one record; its id is `<part>_<number of the line, counted from 0>`.

    Raises:
        LineError: the record has not the official form.
    """
    question, solution = text_in(line.record, "question"), text_in(line.record, "answer")
    stated = marked_text(solution)
    if stated is None:
        raise LineError(f"field 'answer' states no answer after {MARKER!r}")
    read, answer = read_solution(solution, "annotated"), read_number(stated)
    problem = Problem(f"{part}_{line.number - 1}", question, solution, read.steps, answer, "train")
    unread = [Malformed("answer", stated.strip(), "not a number")] if answer is None else []
    return Reading(problem, (*read.malformed, *unread))


def load(params: Gsm8k, context: Context) -> Result:
    """The problems of the file or of the hub, in its order.

    Raises:
        StudyError: the source cannot be read, or lines of it have not the official form.
    """
    source = _lines(params)
    lines = convert(source, partial(read_problem, part=params.part))
    if lines.bad or not lines.good:
        raise lines.refusal(CURE)
    validation = _validation(params, [line.number - 1 for line in source.good], context.seed)
    return problems_artifact(divided(lines.good, validation), params.answers, context)


def _validation(params: Gsm8k, numbers: list[int], seed: int) -> frozenset[int]:
    if params.indices is not None:
        return read_indices(Path(params.indices), numbers, partial=params.limit is not None)
    return draw(len(numbers), params.validation, seed if params.seed is None else params.seed)


def _lines(params: Gsm8k) -> Lines[Line]:
    if params.path is not None:
        return read_lines(Path(params.path), params.limit)
    if params.hub is None:
        raise StudyError("gsm8k: give 'path', the official file, or 'hub', e.g. openai/gsm8k")
    source = f"{params.hub}, {params.part}"
    rows = islice(_hub_rows(params), params.limit)
    return Lines(source, tuple(Line(number, row) for number, row in enumerate(rows, start=1)))


def _hub_rows(params: Gsm8k) -> Iterable[dict[str, object]]:
    try:
        datasets = import_module("datasets")
    except ImportError as error:
        raise StudyError('gsm8k: "hub" needs: pip install "studyrun[gsm8k]"') from error
    try:
        rows: Iterable[dict[str, object]] = datasets.load_dataset(
            params.hub, params.config, split=params.part, revision=params.revision
        )
    except Exception as error:  # whatever the hub, the network or the library raises
        raise StudyError(
            f"gsm8k: {params.hub} at {params.revision} cannot be loaded: {error}\n"
            "download the official file yourself and give its 'path'"
        ) from error
    return rows
