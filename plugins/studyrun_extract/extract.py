"""The step `extract`: one row of activations per problem that the model can take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import torch

from studyrun import QuestionsRefused, Result, StudyError
from studyrun_extract.columns import EXCLUDED, ROWS

if TYPE_CHECKING:
    from torch import Tensor

    from studyrun import Context, Inputs, Model
    from studyrun_extract.params import ExtractParams

__all__ = ["run"]

SHOWN = 5


def run(params: ExtractParams, inputs: Inputs, context: Context) -> Result:
    """Activations (n, layers, positions, d_model) with the problems that they belong to."""
    problems = inputs["problems"].table.select("id", "split", "question").with_row_index("problem")
    model = context.model()
    activations, reasons = _activations(model, problems["question"].to_list(), params, context)
    excluded = pl.Series(list(reasons), dtype=pl.UInt32)
    if reasons and params.on_error == "stop":
        raise StudyError(_message(problems, reasons))
    if len(reasons) == problems.height:
        raise StudyError(f"no problem is left; {_message(problems, reasons)}")
    kept = ~problems["problem"].is_in(excluded.implode())
    return Result(
        tables={
            "table": problems.filter(kept).select(*ROWS.columns),
            "excluded": _excluded(problems, reasons),
        },
        tensors={"activations": activations},
        meta=_meta(params, model, context),
    )


def _activations(
    model: Model, questions: list[str], params: ExtractParams, context: Context
) -> tuple[Tensor, dict[int, str]]:
    """Activations of the rows that the model takes, and why it does not take the others."""
    rows, reasons = list(range(len(questions))), {}
    try:
        found = model.activations(questions, params.layers, params.positions, context)
    except QuestionsRefused as refused:
        if params.on_error == "stop":
            return torch.empty(0), refused.reasons
        reasons = refused.reasons
        rows = [row for row in rows if row not in reasons]
        taken = [questions[row] for row in rows]
        found = model.activations(taken, params.layers, params.positions, context)
    finite = found.flatten(1).isfinite().all(dim=1)
    for index in (~finite).nonzero()[:, 0].tolist():
        reasons[rows[index]] = "its activations are not finite"
    return found[finite], dict(sorted(reasons.items()))


def _meta(params: ExtractParams, model: Model, context: Context) -> dict[str, object]:
    facts = model.facts
    return {
        "layers": params.layers,
        "positions": params.positions,
        "d_model": facts.d_model,
        "model": {
            "name": facts.name,
            "digest": facts.digest,
            "dtype": str(context.dtype).removeprefix("torch."),
        },
    }


def _excluded(problems: pl.DataFrame, reasons: dict[int, str]) -> pl.DataFrame:
    """`EXCLUDED`, of the problems left out."""
    schema = {"problem": pl.UInt32, "reason": pl.String}
    rows = pl.DataFrame({"problem": list(reasons), "reason": list(reasons.values())}, schema)
    named = rows.join(problems.select("problem", "id"), on="problem", maintain_order="left")
    return named.select(*EXCLUDED.columns)


def _message(problems: pl.DataFrame, reasons: dict[int, str]) -> str:
    ids = problems["id"]
    lines = [f"problem {ids[row]}: {reason}" for row, reason in list(reasons.items())[:SHOWN]]
    more = f"; and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
    return (
        f"the model cannot take {len(reasons)} of {len(ids)} problems: {'; '.join(lines)}{more} "
        "(`on_error: exclude` lists them and goes on without)"
    )
