"""What all edits of a step share: problems, residuals, feature activations, the SAE, labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import polars as pl
import torch
from torch import Tensor

from studyrun import Artifact, Context, Inputs, Position, StudyError
from studyrun_extract.view import Activations
from studyrun_intervene.choosing.features import feature_table
from studyrun_sae.artifacts import FeatureActs, SaeArtifact
from studyrun_sae.sae import SAE

__all__ = ["Surroundings", "demand_same_site", "drawn", "numbered", "residuals", "surroundings"]

MEMBERSHIP = "membership"
"""The table of `labels` that says for which problems a label's concept holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """Rows are the problems of the split, in their order."""

    problems: pl.DataFrame
    """The `problems` columns plus `problem`."""
    answer_rule: str
    x: Tensor
    """(rows, d_in), the residuals at the SAE's site."""
    z: Tensor
    """(rows, d_sae)."""
    sae: SAE
    features: pl.DataFrame
    """Every feature with rank, label, kind, concept and how active it is on these rows."""
    labels: Artifact | None

    @property
    def layer(self) -> int:
        """Of the SAE's site."""
        assert self.sae.layer is not None
        return self.sae.layer

    @property
    def position(self) -> Position:
        """Of the SAE's site."""
        assert self.sae.position is not None
        return self.sae.position

    def holds(self, problems: pl.Series) -> Mapping[str, Tensor]:
        """Concept -> (problems,) whether it holds, for every concept that is some label's."""
        if self.labels is None or MEMBERSHIP not in self.labels.table_names:
            return {}
        pairs = self.labels.read_table(MEMBERSHIP)
        return {
            str(concept): torch.from_numpy(problems.is_in(part["problem"].implode()).to_numpy())
            for (concept,), part in pairs.group_by("concept", maintain_order=True)
        }


def surroundings(split: str, inputs: Inputs, context: Context) -> Surroundings:
    """What a step's edits share.

    Raises:
        StudyError: the SAE and the feature activations are of different sites or widths.
    """
    acts = cast(FeatureActs, inputs["feature-acts"])
    sae = cast(SaeArtifact, inputs["sae"]).load(context.device)
    demand_same_site(sae, acts.meta)
    which = None if split == "all" else split
    z = acts.dense(which).to(context.device)
    rows = acts.rows if which is None else acts.rows.filter(pl.col("split") == which)
    active = acts.table.join(rows.select("problem"), on="problem", how="semi")
    labels = inputs.get("labels")
    assert sae.layer is not None
    assert sae.position is not None
    x = residuals(
        cast(Activations, inputs["activations"]), sae.layer, sae.position, rows["problem"]
    )
    return Surroundings(
        problems=rows.select("problem").join(
            numbered(inputs["problems"].table), on="problem", maintain_order="left"
        ),
        answer_rule=inputs["problems"].meta["answers"],
        x=x.to(z.device),
        z=z,
        sae=sae,
        features=feature_table(active, sae.d_sae, len(z), labels.table if labels else None),
        labels=labels,
    )


def numbered(problems: pl.DataFrame) -> pl.DataFrame:
    """The problems with their number `problem`."""
    return problems.with_row_index("problem").cast({"problem": pl.UInt32})


def residuals(
    activations: Activations, layer: int, position: Position, problems: pl.Series
) -> Tensor:
    """The residuals of those problems at a site, in their order."""
    rows = activations.table.select("problem").with_row_index("row")
    found = problems.to_frame().join(rows, on="problem", maintain_order="left")["row"]
    x = activations.at(layer=layer, position=position)
    return x[found.cast(pl.Int64).to_torch()]


def drawn(rows: int, most: int, context: Context) -> Tensor:
    """At most `most` of the rows, drawn by the seed, in order."""
    order = torch.randperm(rows, generator=context.generator("problems run through the model"))
    return order[:most].sort().values


def demand_same_site(sae: SAE, meta: Mapping[str, Any]) -> None:
    """Nothing, if feature activations with that `meta` can be the SAE's.

    Raises:
        StudyError: they are of another site or width.
    """
    here, there = (sae.layer, sae.position), (meta["layer"], meta["position"])
    if here != there or sae.d_sae != meta["d_sae"]:
        raise StudyError(
            f"the SAE is of site {here} with {sae.d_sae} features, the feature activations of "
            f"site {there} with {meta['d_sae']}; say with `needs` which belong together"
        )
