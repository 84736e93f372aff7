"""Problems that are left out, and what is stored and said of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import polars as pl

from studyrun_extract.columns import EXCLUDED, ROWS

if TYPE_CHECKING:
    from torch import Tensor

    from studyrun_extract.growing import Block

__all__ = ["all_reasons", "finite_ones", "listed", "tables"]

SHOWN = 5
NOT_FINITE = "its activations are not finite"


def finite_ones(x: Tensor, problems: list[int]) -> tuple[Tensor, dict[int, str]]:
    """The rows of `x` that are finite, and why the problems of the others have none."""
    if x.sum().isfinite():  # 25 times as fast as looking at each
        return x, {}
    finite = x.flatten(1).isfinite().all(dim=1)
    bad = {problems[index]: NOT_FINITE for index in (~finite).nonzero()[:, 0].tolist()}
    return x[finite], bad


def all_reasons(early: dict[int, str], blocks: Iterable[Block]) -> dict[int, str]:
    """Reasons by problem: those known before anything was written, and those of the blocks."""
    late = {int(row): reason for block in blocks for row, reason in block.facts.items()}
    return dict(sorted((early | late).items()))


def tables(problems: pl.DataFrame, reasons: Mapping[int, str]) -> dict[str, pl.DataFrame]:
    """`ROWS` of the problems that there are activations of, `EXCLUDED` of those left out."""
    out = pl.DataFrame(
        {"problem": list(reasons), "reason": list(reasons.values())},
        {"problem": pl.UInt32, "reason": pl.String},
    )
    named = out.join(problems.select("problem", "id"), on="problem", maintain_order="left")
    kept = problems.filter(~problems["problem"].is_in(out["problem"].implode()))
    return {"table": kept.select(*ROWS.columns), "excluded": named.select(*EXCLUDED.columns)}


def listed(problems: pl.DataFrame, reasons: Mapping[int, str]) -> str:
    """The first of the reasons, each with its problem's id, and how many more there are."""
    ids = problems["id"]
    lines = [f"problem {ids[row]}: {reason}" for row, reason in list(reasons.items())[:SHOWN]]
    more = f"; and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
    return "; ".join(lines) + more
