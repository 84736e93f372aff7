"""The step `extract`: one row of activations per problem that the model can take.

Problems are taken a few thousand at a time, in their order, and each piece is on disk before the
next one begins: memory does not grow with the number of problems, and a crash costs one piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import torch

from studyrun import QuestionsRefused, Refusing, Result, StudyError
from studyrun_extract.exclusion import all_reasons, finite_ones, listed, tables
from studyrun_extract.growing import Growing
from studyrun_extract.pieces import MOST, length_of_a_piece

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from studyrun import Artifact, Context, Inputs, Model
    from studyrun_extract.params import ExtractParams, Stored

__all__ = ["run", "stored_type"]


def run(params: ExtractParams, inputs: Inputs, context: Context) -> Result:
    """Activations (n, layers, positions, d_model) with the problems that they belong to."""
    problems = _problems(inputs["problems"])
    model = context.model()
    asked = _Asked(model, problems["question"], params, context)
    refused = asked.refusals()
    if refused and params.on_error == "stop":
        raise StudyError(_message(problems, refused))
    rows = [row for row in range(problems.height) if row not in refused]
    size = length_of_a_piece(params, model.facts, cpu=context.device.type == "cpu")
    growing = _opened(params, model, context, size)
    done = min(len(rows), size * len(growing.blocks))
    if done:
        context.note(f"{done:,} of {len(rows):,} problems were done by an earlier run")
    with context.whole(total=len(rows), done=done, label="extracting", unit="problems"):
        for start in range(done, len(rows), size):
            found, reasons = asked.answered(rows[start : start + size])
            if reasons and params.on_error == "stop":
                raise StudyError(_message(problems, reasons))
            growing.append(found, {str(row): reason for row, reason in reasons.items()})
    reasons = all_reasons(refused, growing.blocks)
    return _result(problems, reasons, growing.finish(), _meta(params, model, context))


def stored_type(store: Stored) -> torch.dtype:
    """The type of the numbers on disk."""
    return torch.bfloat16 if store == "bfloat16" else torch.float32


@dataclass(frozen=True, eq=False)
class _Asked:
    """The model and what it is asked."""

    model: Model
    questions: pl.Series
    params: ExtractParams
    context: Context

    def refusals(self) -> dict[int, str]:
        """Why the model takes some problems not at all, as far as it says so beforehand."""
        if not isinstance(self.model, Refusing):
            return {}
        found: dict[int, str] = {}
        for start in range(0, len(self.questions), MOST):
            some = self.questions[start : start + MOST].to_list()
            refused = self.model.refusals(some, self.params.positions)
            found |= {start + index: reason for index, reason in refused.items()}
        return dict(sorted(found.items()))

    def answered(self, rows: list[int]) -> tuple[Tensor, dict[int, str]]:
        """Activations of those rows that have some, and why the others have none."""
        reasons: dict[int, str] = {}
        try:
            found = self._activations(rows)
        except QuestionsRefused as refused:
            reasons = {rows[index]: reason for index, reason in refused.reasons.items()}
            rows = [row for row in rows if row not in reasons]
            if self.params.on_error == "stop":
                return torch.empty(0), reasons
            found = self._activations(rows)
        finite, bad = finite_ones(found.to(stored_type(self.params.store)), rows)
        return finite, reasons | bad

    def _activations(self, rows: list[int]) -> Tensor:
        layers, positions = self.params.layers, self.params.positions
        if not rows:
            return torch.empty(0, len(layers), len(positions), self.model.facts.d_model)
        some = self.questions.gather(rows).to_list()
        return self.model.activations(some, layers, positions, self.context)


def _problems(artifact: Artifact) -> pl.DataFrame:
    """Only the columns that are needed; solutions are long."""
    table = pl.read_parquet(artifact.file("table.parquet"), columns=["id", "split", "question"])
    return table.with_row_index("problem")


def _opened(params: ExtractParams, model: Model, context: Context, size: int) -> Growing:
    row = (len(params.layers), len(params.positions), model.facts.d_model)
    made_by = {
        "at once": size,
        "device": context.device.type,
        "torch": str(torch.__version__),
    }
    return Growing(context.partial(), "activations", row, stored_type(params.store), made_by)


def _result(
    problems: pl.DataFrame, reasons: dict[int, str], file: Path, meta: dict[str, object]
) -> Result:
    if len(reasons) == problems.height:
        raise StudyError(f"no problem is left; {_message(problems, reasons)}")
    return Result(tables=tables(problems, reasons), tensor_file=file, meta=meta)


def _meta(params: ExtractParams, model: Model, context: Context) -> dict[str, object]:
    facts = model.facts
    return {
        "layers": params.layers,
        "positions": params.positions,
        "d_model": facts.d_model,
        "stored": params.store,
        "model": {
            "name": facts.name,
            "digest": facts.digest,
            "dtype": str(context.dtype).removeprefix("torch."),
        },
    }


def _message(problems: pl.DataFrame, reasons: dict[int, str]) -> str:
    return (
        f"the model cannot take {len(reasons)} of {problems.height} problems: "
        f"{listed(problems, reasons)} "
        "(`on_error: exclude` lists them and goes on without)"
    )
