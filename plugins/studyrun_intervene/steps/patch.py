"""The step `patch`: the residual at a site is taken from another problem (activation patching).

Where the model carries something at that site, its answer moves towards the other problem's
(Vig et al. 2020; Meng et al. 2022). Every layer and position of the activations is a row, so one
step makes the map that says where.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import polars as pl
import torch
from torch import Tensor

from studyrun import Bound, Context, Inputs, Position, Result, StudyError
from studyrun_data.donors import donors
from studyrun_extract.view import Activations
from studyrun_intervene.columns import PATCHES
from studyrun_intervene.edits.differences import Dense
from studyrun_intervene.params import Patch
from studyrun_intervene.runs.by_feature import Edited
from studyrun_intervene.runs.collected import Questions
from studyrun_intervene.runs.running import (
    Request,
    joined,
    run_effects,
    run_model,
    stacked,
    wide,
)
from studyrun_intervene.surroundings import drawn, numbered, residuals

__all__ = ["run"]

P = TypeVar("P", int, Position)


def run(params: Patch, inputs: Inputs, context: Context) -> Result:
    """Effects by layer, position and scale.

    Raises:
        StudyError: the activations lack a layer or position, or no problem has a donor.
    """
    return _Patching(params, inputs, context).result()


@dataclass(slots=True, eq=False)
class _Patching:
    params: Patch
    inputs: Inputs
    context: Context

    def result(self) -> Result:
        """The tables of all sites."""
        acts = cast(Activations, self.inputs["activations"])
        layers = _known("layer", self.params.layers, acts.meta["layers"])
        positions = _known("position", self.params.positions, acts.meta["positions"])
        problems, lent = self._problems()
        effects = run_effects(self.params.effects, self.context)
        sites = [(p, scale) for scale in self.params.scales for p in positions]
        found = [self._layer(acts, layer, sites, problems, lent, effects) for layer in layers]
        tables = stacked(found, len(sites), self.params.controls.alpha)
        edits = [
            (layer, str(position), scale, problems.height, lent["problem"].n_unique())
            for layer in layers
            for position, scale in sites
        ]
        table = pl.DataFrame(edits, PATCHES.schema(), orient="row")
        columns = wide(tables["effects_by_feature"], effects, table.height)
        names = ", ".join(each.component.name for each in effects)
        table = joined(table, columns, names)
        pairs = problems.select("problem", "id", "answer").hstack(
            lent.select(donor="problem", donor_id="id", donor_answer="answer")
        )
        meta = {
            "split": self.params.split,
            "n": problems.height,
            "same": list(self.params.same),
            "differ": list(self.params.differ),
            "layers": list(layers),
            "positions": [str(each) for each in positions],
            "confidence": self.params.controls.confidence,
        }
        return Result(tables={"table": table, **tables, "donors": pairs}, meta=meta)

    def _problems(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The problems that are run, and their donors, row by row."""
        every = numbered(self.inputs["problems"].table)
        known = cast(Activations, self.inputs["activations"]).table["problem"]
        every = every.filter(pl.col("problem").is_in(known.implode()))
        if self.params.split != "all":
            every = every.filter(pl.col("split") == self.params.split)
        seed = self.context.generator("donors").initial_seed()
        try:
            found = donors(every, self.params.same, self.params.differ, random.Random(seed))
        except ValueError as error:
            raise StudyError(f"patch: {error}") from error
        having = [row for row, donor in enumerate(found) if donor is not None]
        if not having:
            raise StudyError(
                f"no problem of split {self.params.split!r} has a donor with the same "
                f"{', '.join(self.params.same) or 'anything'} and another "
                f"{', '.join(self.params.differ) or 'number'}; ask for less, or use more problems"
            )
        some = [having[i] for i in drawn(len(having), self.params.problems, self.context).tolist()]
        return every[some], every[[cast(int, found[row]) for row in some]]

    def _layer(
        self,
        acts: Activations,
        layer: int,
        sites: Sequence[tuple[Position, float]],
        problems: pl.DataFrame,
        lent: pl.DataFrame,
        effects: Sequence[Bound],
    ) -> Mapping[str, pl.DataFrame]:
        """The tables of one layer."""
        differences = {
            position: residuals(acts, layer, position, lent["problem"])
            - residuals(acts, layer, position, problems["problem"])
            for position, _ in sites
        }

        def values(edit: int, rows: Tensor) -> Tensor:
            position, scale = sites[edit]
            return scale * differences[position][rows]

        n = len(sites)
        everything = torch.cartesian_prod(torch.arange(n), torch.arange(problems.height))
        edited = Edited(n, problems.height, [[] for _ in sites], [None] * n, {})
        request = Request(
            layer=layer,
            positions=[position for position, _ in sites],
            differences=Dense(everything[:, 0], everything[:, 1], values),
            edited=edited,
            questions=Questions(
                problems, self.inputs["problems"].meta["answers"], lent["answer"].to_list()
            ),
            effects=effects,
            controls=self.params.controls,
        )
        return run_model(request, self.context)


def _known(what: str, wanted: Sequence[P] | None, there: Sequence[P]) -> Sequence[P]:
    """Those that are wanted, or all.

    Raises:
        StudyError: one was not extracted.
    """
    missing = [each for each in wanted or () if each not in there]
    if missing:
        said = ", ".join(map(str, there))
        raise StudyError(f"{what} {missing[0]!r} was not extracted; the activations have {said}")
    return there if wanted is None else wanted
