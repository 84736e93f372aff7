"""What can be known to be wrong before anything runs; imports neither polars nor the generator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from studyrun import Absent, CheckScope, Fault
from studyrun_data.columns import has_pairs
from studyrun_data.digests import without_library
from studyrun_data.params import Gsm8k, Jsonl, WordProblems

__all__ = ["gsm8k", "jsonl", "word_problems"]

SIBLINGS = 20
"""How many files of the same folder are offered where one is missing."""


def gsm8k(params: Gsm8k, scope: CheckScope) -> Iterator[Fault]:  # noqa: ARG001  # fixed
    """One source, and its files exist."""
    if (params.path is None) == (params.hub is None):
        yield Fault((), "give either 'path', the official file, or 'hub', e.g. openai/gsm8k")
    elif params.hub is not None:
        yield from _hub(params)
    yield from _missing("path", params.path)
    yield from _missing("indices", params.indices)


def jsonl(params: Jsonl, scope: CheckScope) -> Iterator[Fault]:  # noqa: ARG001  # fixed
    """The file exists."""
    yield from _missing("path", params.path)


def word_problems(params: WordProblems, scope: CheckScope) -> Iterator[Fault]:  # noqa: ARG001  # fixed
    """Nothing is asked for that no problem can have."""
    for name in ("steps", "operations", "values"):
        yield from _repeated(name, getattr(params, name))
    yield from _too_many_values(params)
    if params.contrast_operations and params.contrast_values:
        yield Fault(("contrast_values",), "a pair differs in an operation or in a value, not both")
    yield from _contrast_operations(params)
    yield from _contrast_values(params)
    if has_pairs(params) and params.problems % 2:
        yield Fault(("problems",), f"{params.problems} problems are no whole number of pairs")


def _hub(params: Gsm8k) -> Iterator[Fault]:
    if params.revision is None:
        yield Fault(("hub",), "'hub' needs 'revision', the commit, so that the content is certain")
    if lacks := without_library(params):
        yield Absent(("hub",), lacks)


def _missing(name: str, file: str | None) -> Iterator[Fault]:
    if file is None or Path(file).is_file():
        return
    path = Path(file)
    problem = f"{path} is a folder, not a file" if path.is_dir() else f"no such file: {path}"
    yield Fault((name,), problem, tuple(_siblings(path)))


def _siblings(path: Path) -> list[str]:
    folder = path.parent
    if not folder.is_dir():
        return []
    found = sorted(file.name for file in folder.glob(f"*{path.suffix}") if file.is_file())
    return found[:SIBLINGS]


def _repeated(name: str, values: Sequence[object]) -> Iterator[Fault]:
    for place, value in enumerate(values):
        if value in values[:place]:
            yield Fault((name, place), f"{value!r} is named twice")


def _too_many_values(params: WordProblems) -> Iterator[Fault]:
    wanted = {*params.values, *(params.contrast_values or [])[:1]}
    room = 2 * min(params.steps) + 1
    if len(wanted) > room:
        yield Fault(
            ("values",),
            f"a problem of {min(params.steps)} steps has {room} numbers, "
            f"too few to contain {len(wanted)} values",
        )


def _contrast_operations(params: WordProblems) -> Iterator[Fault]:
    yield from _repeated("contrast_operations", params.contrast_operations or [])
    for place, operation in enumerate(params.contrast_operations or []):
        if operation not in params.operations:
            allowed = tuple(params.operations)
            message = f"{operation!r} is not among the operations of this data set"
            yield Fault(("contrast_operations", place), message, allowed)


def _contrast_values(params: WordProblems) -> Iterator[Fault]:
    yield from _repeated("contrast_values", params.contrast_values or [])
    if params.contrast_values and params.contrast_values[0] in params.values:
        message = f"{params.contrast_values[0]} cannot both change and stand in every problem"
        yield Fault(("contrast_values", 0), message)
