"""The effect `reconstruction`: how far an edit moves the SAE's reconstruction x_hat.

Beside it stand the same edit of other features that are as often and as strongly active, and
changes of the same norm per row in random directions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from studyrun import Context, EffectCase, Measurement, NoParams
from studyrun_intervene.columns import RECONSTRUCTION
from studyrun_intervene.edits.changes import Changes, changes
from studyrun_intervene.statistics.intervals import central, percentile_of, resampled_rows

__all__ = ["measure"]

CHUNK = 1024
"""Edits at a time, which bounds memory at a few (rows, CHUNK) matrices of float64."""
SCHEMA = RECONSTRUCTION.schema()


def measure(case: EffectCase, params: NoParams, context: Context) -> Measurement:  # noqa: ARG001
    """The columns `RECONSTRUCTION` for every edit of the case."""
    directions = _directions(case, context.generator("random directions"))
    counts = resampled_rows(len(case.z), case.resamples, context.generator("bootstrap"))
    parts = [
        _measured(case, changes(case, part), counts, directions) for part in _chunks(case.edits)
    ]
    table = pl.concat(parts).hstack(_controls(case, pl.concat(parts)["mean_abs_diff"]))
    return Measurement(table.select(SCHEMA.names()).cast(SCHEMA).fill_nan(None))


def _measured(
    case: EffectCase,
    found: Changes,
    counts: Float[Tensor, "resamples rows"],
    directions: Float[Tensor, "directions d_in"],
) -> pl.DataFrame:
    """The columns that speak of the edits themselves, and of random directions."""
    everywhere = torch.ones_like(found.active)
    interval = central(counts @ found.mean_abs.cpu(), case.confidence)
    means = _means(case, found, everywhere)
    columns = {
        "ci_low": interval.low,
        "ci_high": interval.high,
        "max_abs_diff": found.max_abs.amax(0),
        **means,
        **{f"{name}_active": mean for name, mean in _means(case, found, found.active).items()},
    }
    random = means["l2_diff"].cpu() * directions.abs().mean(1, keepdim=True)
    columns |= _compared("random", means["mean_abs_diff"].cpu(), random, case.confidence)
    return pl.DataFrame({name: values.tolist() for name, values in columns.items()})


def _means(
    case: EffectCase, found: Changes, rows: Bool[Tensor, "rows edits"]
) -> dict[str, Float[Tensor, " edits"]]:
    """Means over the chosen rows of each edit; not a number where there are none."""
    norm = torch.linalg.vector_norm(case.x.double(), dim=1, keepdim=True)
    l2 = (found.l2 * rows).sum(0)
    return {
        "mean_abs_diff": (found.mean_abs * rows).sum(0) / rows.sum(0),
        "l2_diff": l2 / rows.sum(0),
        "relative_l2_diff": l2 / (norm * rows).sum(0),
    }


def _controls(case: EffectCase, mean_abs_diff: pl.Series) -> pl.DataFrame:
    """How the edits compare with the same edit of their matched features."""
    needed = list(dict.fromkeys(each for found in case.matched for each in found))
    values: dict[tuple[int, ...], float] = {}
    for part in _chunks(needed):
        means = changes(case, part).mean_abs.mean(0).tolist()
        values |= dict(zip(part, means, strict=True))
    rows = [
        _control(value, [values[each] for each in found], case.confidence)
        for value, found in zip(mean_abs_diff, case.matched, strict=True)
    ]
    names = [name for name in SCHEMA if name.startswith("control_")]
    return pl.DataFrame(rows, {name: SCHEMA[name] for name in names})


def _control(value: float, controls: list[float], confidence: float) -> dict[str, int | float]:
    if not controls:
        return {"control_n": 0}
    samples = torch.tensor(controls, dtype=torch.float64)[:, None]
    own = torch.tensor([value], dtype=torch.float64)
    compared = _compared("control", own, samples, confidence)
    return {"control_n": len(controls)} | {name: v.item() for name, v in compared.items()}


def _compared(
    name: str,
    value: Float[Tensor, " edits"],
    samples: Float[Tensor, "samples edits"],
    confidence: float,
) -> dict[str, Float[Tensor, " edits"]]:
    interval = central(samples, confidence)
    return {
        f"{name}_mean": samples.mean(0),
        f"{name}_ci_low": interval.low,
        f"{name}_ci_high": interval.high,
        f"{name}_percentile": percentile_of(value, samples),
    }


def _directions(case: EffectCase, generator: torch.Generator) -> Float[Tensor, "directions d_in"]:
    """Unit vectors, uniform on the sphere; the same ones for every edit."""
    size = (case.directions, case.x.shape[1])
    return normalize(torch.randn(size, generator=generator, dtype=torch.float64), dim=1)


def _chunks(edits: Sequence[tuple[int, ...]]) -> Iterator[Sequence[tuple[int, ...]]]:
    """CHUNK edits at a time; one empty part where there are none."""
    for start in range(0, max(1, len(edits)), CHUNK):
        yield edits[start : start + CHUNK]
