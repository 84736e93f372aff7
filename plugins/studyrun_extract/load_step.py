"""The step `load-activations`: rows that somebody computed before, each beside its problem."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import polars as pl
import torch

from studyrun import Artifact, Context, Inputs, Result, StudyError
from studyrun_data.split import draw, read_indices
from studyrun_extract.columns import ROWS
from studyrun_extract.exclusion import all_reasons, finite_ones, listed, tables
from studyrun_extract.extract import stored_type
from studyrun_extract.files import Held, held
from studyrun_extract.foreign import wrong
from studyrun_extract.growing import Growing
from studyrun_extract.params import LoadParams

__all__ = ["run"]

PIECE = 64 << 20
"""Bytes that are copied at once."""
SHOWN = 5
NO_ROW = "no row of the file is of it"


@dataclass(frozen=True, eq=False)
class _Match:
    """Which row of the file is of which problem."""

    problems: pl.DataFrame
    """(problem, id, split) of all problems."""
    rows: list[int]
    """Of the file, by `of`."""
    of: list[int]
    """The problems that have a row, ascending."""
    reasons: dict[int, str]
    """Why the others have none."""


def run(params: LoadParams, inputs: Inputs, context: Context) -> Result:
    """The file's activations (n, layers, positions, d_model), in the order of the problems.

    Raises:
        StudyError: the file is not what it must be, or does not fit the problems.
    """
    file, found = Path(params.path), held(params)
    match = _matched(found, inputs.get("problems"), params, context)
    if match.reasons and params.on_error == "stop":
        raise _refusal(file, match, match.reasons)
    growing = _opened(found, params, context)
    for start in _starts(len(match.rows), found, growing, context):
        x, bad = _piece(found, match, start, params)
        if bad and params.on_error == "stop":
            raise _refusal(file, match, bad)
        growing.append(x, {str(row): reason for row, reason in bad.items()})
    reasons = all_reasons(match.reasons, growing.blocks)
    if len(reasons) == match.problems.height:
        raise _refusal(file, match, reasons)
    return _result(found, match, reasons, growing, params)


def _matched(
    found: Held, problems: Artifact | None, params: LoadParams, context: Context
) -> _Match:
    file, n = Path(params.path), len(found.x)
    if problems is None:
        return _Match(_own_problems(found, params, context), [*range(n)], [*range(n)], {})
    table = pl.read_parquet(problems.file("table.parquet"), columns=["id", "split"])
    table = table.with_row_index("problem").select(*ROWS.columns)
    if found.ids is None:
        if n != table.height:
            what = f"has {n} rows without ids, the data {table.height} problems"
            raise wrong(file, what, "say which row is of which problem (ids: ids.json)")
        return _Match(table, [*range(n)], [*range(n)], {})
    place = {each: row for row, each in enumerate(found.ids)}
    known = table["problem" if found.ids and isinstance(found.ids[0], int) else "id"].to_list()
    every = set(known)
    strange = [each for each in found.ids if each not in every]
    if strange:
        _tell_strange(file, strange, known, params, context)
    of = [problem for problem, name in enumerate(known) if name in place]
    reasons = {problem: NO_ROW for problem, name in enumerate(known) if name not in place}
    return _Match(table, [place[known[problem]] for problem in of], of, reasons)


def _own_problems(found: Held, params: LoadParams, context: Context) -> pl.DataFrame:
    """Rows are their own problems where the study has no data."""
    n = len(found.x)
    if params.indices is not None:
        validation = read_indices(Path(params.indices), range(n))
    else:
        seed = context.seed if params.seed is None else params.seed
        validation = draw(n, params.validation, seed)
    return pl.DataFrame(
        {
            "problem": pl.Series(range(n), dtype=pl.UInt32),
            "id": [f"row_{row}" for row in range(n)] if found.ids is None else map(str, found.ids),
            "split": ["validation" if row in validation else "train" for row in range(n)],
        }
    )


def _tell_strange(
    file: Path,
    strange: Sequence[str | int],
    known: Sequence[str | int],
    params: LoadParams,
    context: Context,
) -> None:
    """Stop, or go on without them, where rows are of no problem."""
    some, there = (", ".join(map(repr, each[:SHOWN])) for each in (strange, known))
    what = f"{len(strange)} rows are of no problem of the data: {some}"
    if params.on_error == "stop":
        what += f" (its ids are {there}, ...)"
        raise wrong(file, what, "take the data they are of, or `on_error: exclude`")
    context.note(f"{what}; they are left out")


def _opened(found: Held, params: LoadParams, context: Context) -> Growing:
    kept = stored_type(params.store)
    made_by = {"at once": _at_once(found)}
    return Growing(context.partial(), "activations", found.row, kept, made_by)


def _at_once(found: Held) -> int:
    return max(1, PIECE // (prod(found.row) * torch.float32.itemsize))


def _starts(n: int, found: Held, growing: Growing, context: Context) -> Iterable[int]:
    size = _at_once(found)
    starts = range(0, n, size)[len(growing.blocks) :]
    return context.track(starts, total=len(starts), label="copying", unit=f"x {size:,} rows")


def _piece(
    found: Held, match: _Match, start: int, params: LoadParams
) -> tuple[torch.Tensor, dict[int, str]]:
    """The finite ones of the next rows, and which problems have another."""
    cut = slice(start, start + _at_once(found))
    x = found.x[match.rows[cut]].view(-1, *found.row).to(stored_type(params.store))
    return finite_ones(x, match.of[cut])


def _result(
    found: Held, match: _Match, reasons: dict[int, str], growing: Growing, params: LoadParams
) -> Result:
    dtype = str(found.x.dtype).removeprefix("torch.")
    return Result(
        tables=tables(match.problems, reasons),
        tensor_file=growing.finish(),
        meta={
            "layers": found.layers,
            "positions": found.positions,
            "d_model": found.row[-1],
            "stored": params.store,
            "model": {"name": params.model, "digest": "", "dtype": dtype},
        },
    )


def _refusal(file: Path, match: _Match, reasons: dict[int, str]) -> StudyError:
    some, n = listed(match.problems, reasons), match.problems.height
    what = f"{len(reasons)} of {n} problems cannot be used: {some}"
    return wrong(file, what, "`on_error: exclude` lists them and goes on without")
