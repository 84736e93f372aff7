"""The step `linear-probe`: which numbers of a problem can be read off its residuals, linearly.

A ridge regression is fitted on the training split and scored on the validation split (Alain and
Bengio 2016). That a number can be decoded says nothing about whether the model uses it: for that,
patch the site.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from studyrun import Context, Inputs, Result, StudyError
from studyrun_classify.columns import LINEAR_PROBES
from studyrun_classify.params import LinearProbe
from studyrun_extract.view import Activations

__all__ = ["r2", "run", "targets"]

Floats = NDArray[np.float64]
ALPHAS = np.logspace(-2, 5, 15)
"""Ridge penalties, the best of which cross-validation on the training split takes."""
FEWEST = 20
"""Problems of each split without which nothing is fitted."""
_STEPS = pl.col("steps").list
SOURCES = {
    "answer": pl.col("answer"),
    "n_steps": pl.col("n_steps"),
    "first-operand": _STEPS.first().struct.field("operands").list.first(),
    "first-result": _STEPS.get(0, null_on_oob=True).struct.field("result"),
    "second-result": _STEPS.get(1, null_on_oob=True).struct.field("result"),
    "third-result": _STEPS.get(2, null_on_oob=True).struct.field("result"),
}
"""How each target is read; null for a problem that has none."""


@dataclass(frozen=True, slots=True, eq=False)
class _Split:
    x: Floats
    y: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """Of every problem its split, and the number that is to be read."""

    split: NDArray[np.object_]
    values: Floats
    seed: int


def run(params: LinearProbe, inputs: Inputs, context: Context) -> Result:
    """A row of `LINEAR_PROBES` for every target, layer and position.

    A result that is the answer (of the last step) is no target: `second-result` is asked of
    problems with at least three steps.

    Raises:
        StudyError: the problems are all of one split.
    """
    acts = cast(Activations, inputs["activations"])
    problems = inputs["problems"].table.with_row_index("problem").cast({"problem": pl.UInt32})
    known = acts.table.select("problem").join(
        problems, on="problem", how="left", maintain_order="left"
    )
    if known["split"].n_unique() < 2:
        raise StudyError("linear-probe fits on `train` and scores on `validation`; one is empty")
    columns = targets(known, params.targets)
    seed = context.generator("linear probe").initial_seed() % 2**32
    wanted = [(*site, target) for site in acts.sites for target in params.targets]
    shown = [
        (target, layer, str(position), *_probed(acts.at(layer=layer, position=position), part))
        for layer, position, target in context.track(
            wanted, total=len(wanted), label="probing", unit="probes"
        )
        for part in [_Known(known["split"].to_numpy(), columns[target].to_numpy(), seed)]
    ]
    table = pl.DataFrame(shown, LINEAR_PROBES.schema(), orient="row")
    return Result(tables={"table": table}, meta={"targets": list(params.targets)})


def targets(problems: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The targets of every problem as float64; null where a problem has none."""
    frame = problems.select(SOURCES[name].cast(pl.Float64).alias(name) for name in names)
    steps = problems["n_steps"]
    places = {"first-result": 1, "second-result": 2, "third-result": 3}
    return frame.with_columns(
        pl.when(pl.lit(steps) > place).then(pl.col(name)).alias(name)
        for name, place in places.items()
        if name in names
    )


def _probed(x: object, known: _Known) -> Iterator[float | int | None]:
    """`n_train` to `shuffled_r2` of one target at one site."""
    residuals = np.asarray(x, dtype=np.float64)
    values, split = known.values, known.split
    there = np.isfinite(values)
    train, test = (
        _Split(residuals[there & (split == name)], values[there & (split == name)])
        for name in ("train", "validation")
    )
    yield len(train.y)
    yield len(test.y)
    if min(len(train.y), len(test.y)) < FEWEST or np.ptp(test.y) == 0:
        yield from (None,) * 5
        return
    generator = np.random.default_rng(known.seed)
    predicted = _fitted(train, test.x)
    low, high = _interval(test.y, predicted, generator)
    exact = float((np.abs(predicted - test.y) < 0.5).mean())
    shuffled = _Split(train.x, generator.permutation(train.y))
    yield from (r2(test.y, predicted), low, high, exact, r2(test.y, _fitted(shuffled, test.x)))


def _fitted(train: _Split, x: Floats) -> Floats:
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
    model.fit(train.x, train.y)
    predicted: Floats = model.predict(x)
    return predicted


def r2(truth: Floats, predicted: Floats) -> float:
    """1 - sum of squared errors / sum of squares about the mean; predicting the mean scores 0."""
    return float(1 - ((truth - predicted) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def _interval(
    truth: Floats, predicted: Floats, generator: np.random.Generator
) -> tuple[float, float]:
    """The central 95 % over 1,000 bootstrap samples of the problems."""
    samples = generator.integers(0, len(truth), (1000, len(truth)))
    values = [r2(truth[rows], predicted[rows]) for rows in samples if np.ptp(truth[rows]) > 0]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
