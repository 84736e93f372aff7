"""From runs to what is claimed of edits: means, intervals, controls, noise floor, verdicts.

For every quantity there is a matrix (edits, problems), 0 where the edit changes nothing at its
site. Everything is computed from such matrices, in one place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import polars as pl
import torch
from torch import Tensor

from studyrun import Measure
from studyrun_intervene.columns import SUMMARY
from studyrun_intervene.params import Controls
from studyrun_intervene.runs.arms import EDIT, ELSEWHERE, RANDOM, Plan
from studyrun_intervene.runs.collected import Collected, Quantity
from studyrun_intervene.statistics.acting import effect_means
from studyrun_intervene.statistics.bootstrap import mean_interval
from studyrun_intervene.statistics.discovery import q_values
from studyrun_intervene.statistics.intervals import Interval, resampled_rows, wilson
from studyrun_intervene.statistics.matched import means_of, rank_among_matched
from studyrun_intervene.statistics.power import least_differences, mean_test_needs
from studyrun_intervene.statistics.sign_flip import random_signs, sign_flip_test
from studyrun_intervene.statistics.specificity import random_orders, specificity

__all__ = ["SCHEMA", "Chances", "Edited", "SummaryTable", "over_all_edits"]

SHUFFLES = 2_000
"""Random exchanges behind a specificity's p-value."""
SCHEMA = SUMMARY.schema()


@dataclass(frozen=True, slots=True, eq=False)
class Chances:
    """What is drawn once, the same for all edits and quantities."""

    weights: Tensor
    """(resamples, problems)."""
    signs: Tensor
    """(flips, problems)."""
    orders: Tensor
    """(shuffles, problems)."""

    @classmethod
    def drawn(cls, problems: int, controls: Controls, generator: torch.Generator) -> Chances:
        """For that many problems."""
        return cls(
            resampled_rows(problems, controls.resamples, generator),
            random_signs(problems, controls.flips, generator),
            random_orders(problems, SHUFFLES, generator),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Edited:
    """What the edits of a step are, beside their runs."""

    n: int
    """Edits that the study asks for; those that follow serve as their controls."""
    problems: int
    matched: list[list[int]]
    """For each, the numbers of the edits that are like it."""
    concepts: list[str | None]
    """For each, the concept of its label."""
    holds: Mapping[str, Tensor]
    """Concept -> (problems,) whether it holds."""


@dataclass(frozen=True, slots=True, eq=False)
class _Matrix:
    """One quantity of one arm."""

    values: Tensor
    """(edits, problems)."""
    acts: Tensor
    """(edits, problems)."""

    @property
    def sizes(self) -> Tensor:
        """(edits, problems) |values|."""
        return self.values.abs()


@dataclass(frozen=True, slots=True, eq=False)
class SummaryTable:
    """One row per edit and quantity, of `SCHEMA`."""

    plan: Plan
    collected: Collected
    edited: Edited
    controls: Controls
    chances: Chances

    def all_of(self, measures: Sequence[Measure], floors: pl.DataFrame) -> pl.DataFrame:
        """Every quantity that was collected; `floors` are those of `noise`."""
        told = {measure.name: measure for measure in measures}
        known = {(q, p): largest for q, p, _, largest, _ in floors.iter_rows()}
        parts = [SCHEMA.to_frame()]
        for quantity in sorted(self.collected.values):
            if not self.collected.values[quantity].isfinite().any():
                continue
            measure = told.get(quantity[0], Measure(quantity[0], "", of="fact"))
            parts.append(self.of(quantity, measure, known.get(quantity)))
        read = (pl.col("place") == "") | (pl.col("n") > 0)  # thoughts before an edit are not
        return pl.concat(parts).filter(read).sort("edit", "quantity", "place")

    def of(self, quantity: Quantity, measure: Measure, floor: float | None) -> pl.DataFrame:
        """One row per edit."""
        n = self.edited.n
        every = self._matrix(quantity, EDIT)
        assert every is not None
        own = _Matrix(every.values[:n], every.acts[:n])
        columns: dict[str, object] = {
            "edit": range(n),
            "quantity": [quantity[0]] * n,
            "place": [quantity[1]] * n,
            **self._means(own),
        }
        if measure.of != "fact":
            columns |= {"floor": [floor] * n, **self._compared(quantity, own)}
            columns |= self._matched(every) | self._specific(own)
        frame = pl.DataFrame({name: _listed(value) for name, value in columns.items()})
        frame = frame.with_columns(
            pl.lit(None, SCHEMA[name]).alias(name) for name in SCHEMA if name not in columns
        )
        frame = frame.select(SCHEMA.names()).cast(SCHEMA).fill_nan(None)
        if measure.of == "fact":
            return frame
        frame = frame.with_columns(above_floor=pl.col("size") > pl.col("floor"))
        return frame.with_columns(verdict=_verdict(self.controls.alpha))

    def _matrix(self, quantity: Quantity, arm: str) -> _Matrix | None:
        """The runs of an arm as a matrix; None where the arm or the quantity is not there."""
        runs = self.plan.arm(arm)
        if runs is None:
            return None
        edit, row = self.plan.edit[runs], self.plan.row[runs]
        found = self.collected.values[quantity][runs]
        n = max(self.edited.n, int(edit.max()) + 1 if len(edit) else 0)
        values = torch.zeros(n, self.edited.problems, dtype=torch.float64)
        acts = torch.zeros(n, self.edited.problems, dtype=torch.bool)
        values[edit, row] = found.nan_to_num(0.0)
        acts[edit, row] = found.isfinite()
        return _Matrix(values, acts)

    def _means(self, own: _Matrix) -> dict[str, object]:
        means, sizes = effect_means(own.values, own.acts), effect_means(own.sizes, own.acts)
        interval = self._interval(own)
        return {
            "n": means.n,
            "value": means.acting,
            "ci_low": interval.low,
            "ci_high": interval.high,
            "value_all": means.every,
            "size": sizes.acting,
        }

    def _interval(self, own: _Matrix) -> Interval:
        """Bootstrapped over problems; Wilson's where all values are 0 or 1."""
        confidence = self.controls.confidence
        if bool(((own.values == 0) | (own.values == 1)).all()):
            counts = zip(
                (own.values * own.acts).sum(1).tolist(), own.acts.sum(1).tolist(), strict=True
            )
            ends = [wilson(int(k), n, confidence) if n else (nan, nan) for k, n in counts]
            low, high = torch.tensor(ends, dtype=torch.float64).reshape(-1, 2).T
            return Interval(low, high)
        return mean_interval(own.values, own.acts, self.chances.weights, confidence)

    def _compared(self, quantity: Quantity, own: _Matrix) -> dict[str, object]:
        """Against the same problems with a random direction, and with another position."""
        columns: dict[str, object] = {}
        for arm, prefix in ((RANDOM, "random"), (ELSEWHERE, "elsewhere")):
            other = self._matrix(quantity, arm)
            if other is None:
                continue
            size = other.sizes[: self.edited.n]
            both = own.acts & other.acts[: self.edited.n]
            difference = (own.sizes - size) * both
            p = sign_flip_test(difference, both, self.chances.signs).greater
            columns |= {
                f"{prefix}_size": effect_means(size, both).acting,
                f"{prefix}_p": p,
                f"{prefix}_q": q_values(p),
            }
            if arm == RANDOM:
                needs = mean_test_needs(difference, both, alpha=self.controls.alpha)
                columns["n_needed"] = needs
        return columns

    def _matched(self, every: _Matrix) -> dict[str, object]:
        """Against the same edit of features that are alike."""
        width = max(map(len, self.edited.matched), default=0)
        if not width:
            return {}
        rows = torch.full((self.edited.n, width), -1, dtype=torch.int64)
        for edit, others in enumerate(self.edited.matched):
            rows[edit, : len(others)] = torch.tensor(others, dtype=torch.int64)
        means = effect_means(every.sizes, every.acts).acting
        sizes = means_of(means, torch.where(rows < len(means), rows, -1))
        rank = rank_among_matched(means[: self.edited.n], sizes)
        tail = (1 - self.controls.confidence) / 2
        ends = sizes.new_tensor([tail, 1 - tail])
        low, high = sizes.nanquantile(ends, dim=1)
        return {
            "matched_n": rank.n,
            "matched_size": sizes.nanmean(1),
            "matched_low": low,
            "matched_high": high,
            "matched_below": rank.share_below,
            "matched_p": rank.p,
            "matched_q": q_values(rank.p),
        }

    def _specific(self, own: _Matrix) -> dict[str, object]:
        """Where the concept of the label holds against where it does not."""
        nowhere = torch.zeros(self.edited.problems, dtype=torch.bool)
        names = self.edited.concepts
        if not any(name in self.edited.holds for name in names):
            return {}
        holds = torch.stack([self.edited.holds.get(name or "", nowhere) for name in names])
        found = specificity(
            own.sizes, own.acts, holds, self.chances.weights, self.chances.orders,
            self.controls.confidence,
        )  # fmt: skip
        return {
            "concept": names,
            "with_n": (own.acts & holds).sum(1),
            "with_size": found.mean_with,
            "without_size": found.mean_without,
            "specificity": found.ratio,
            "specific_difference": found.difference,
            "specific_low": found.interval.low,
            "specific_high": found.interval.high,
            "specific_p": found.p.two_sided,
            "specific_q": q_values(found.p.two_sided),
        }


def over_all_edits(summary: pl.DataFrame, alpha: float) -> pl.DataFrame:
    """A summary that was made in parts, with q-values and verdicts over the edits of all parts."""
    parts = [summary.clear()]
    for part in summary.partition_by("quantity", "place", maintain_order=True):
        columns = {}
        for prefix in ("random", "elsewhere", "matched", "specific"):
            p = part[f"{prefix}_p"].fill_null(nan).to_torch()
            columns[f"{prefix}_q"] = pl.Series(q_values(p).numpy()).fill_nan(None)
        parts.append(part.with_columns(**columns))
    judged = pl.when(pl.col("verdict").is_not_null()).then(_verdict(alpha))
    return pl.concat(parts).with_columns(verdict=judged).sort("edit", "quantity", "place")


def _verdict(alpha: float) -> pl.Expr:
    """`effect` where it exceeds a random direction's and the noise; else whether n sufficed."""
    enough = pl.col("n") >= least_differences(alpha)
    found = (pl.col("random_q") < alpha) & (pl.col("above_floor") | pl.col("floor").is_null())
    short = (pl.col("n_needed") > pl.col("n")) & (pl.col("size") > pl.col("random_size"))
    return (
        pl.when(pl.col("random_q").is_null() & enough)
        .then(pl.lit(None, pl.String))
        .when(~enough)
        .then(pl.lit("insufficient"))
        .when(found)
        .then(pl.lit("effect"))
        .when(short)
        .then(pl.lit("insufficient"))
        .otherwise(pl.lit("no-effect"))
    )


def _listed(value: object) -> object:
    return value.tolist() if isinstance(value, Tensor) else value
