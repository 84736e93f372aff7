"""The two artifacts of this room: a trained SAE, and the feature activations of every problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor

from studyrun import Artifact, SaeWeights, StudyError
from studyrun_sae.neutral import sae_of
from studyrun_sae.sae import SAE

__all__ = ["FeatureActs", "SaeArtifact", "demand_alike", "describe", "fingerprint", "restore"]

TOLERANCE = 1e-4
"""Relative deviation of z and x_hat that another machine's arithmetic may cause."""


class SaeArtifact(Artifact):
    """A trained SAE: `run["sae"].load()`."""

    def load(self, device: torch.device | str = "cpu") -> SAE:
        """The SAE, after it has reproduced the fingerprint taken when it was saved.

        Raises:
            StudyError: it does not, so its weights and its architecture do not belong together.
        """
        return restore(self.tensors(), self.meta, f"{self!r}").to(device)


class FeatureActs(Artifact):
    """Feature activations as rows (problem, feature, activation) of the active pairs."""

    @property
    def rows(self) -> pl.DataFrame:
        """(problem, id, split): every problem that was encoded, active features or not."""
        return self.read_table("rows")

    def dense(self, split: str | None = None) -> Float[Tensor, "rows d_sae"]:
        """The activations z of a split (of all rows if None); row i is row i of `rows` there.

        Raises:
            StudyError: no problem is in that split.
        """
        rows = self.rows if split is None else self.rows.filter(pl.col("split") == split)
        if rows.is_empty():
            known = ", ".join(self.rows["split"].unique().sort())
            raise StudyError(f"{self!r} has no rows of split {split!r}; there are {known}")
        numbered = rows.select("problem").with_row_index("row")
        active = self.table.join(numbered, on="problem")
        z = torch.zeros(rows.height, self.meta["d_sae"])
        z[_tensor(active["row"]), _tensor(active["feature"])] = active["activation"].to_torch()
        return z


def describe(sae: SAE) -> dict[str, Any]:
    """What `restore` needs besides the tensors, as JSON."""
    return {
        "architecture": sae.architecture.name,
        **sae.architecture.settings,
        "d_in": sae.d_in,
        "d_sae": sae.d_sae,
        "layer": sae.layer,
        "position": sae.position,
    }


def fingerprint(sae: SAE, x: Float[Tensor, "rows d_in"], rows: int = 8) -> dict[str, Tensor]:
    """Up to `rows` inputs spread evenly over `x`, with the z and x_hat that the SAE gives."""
    chosen = x[torch.linspace(0, len(x) - 1, min(rows, len(x)), device=x.device).long()]
    z = sae.encode(chosen)
    return {"fingerprint_x": chosen, "fingerprint_z": z, "fingerprint_x_hat": sae.decode(z)}


def restore(tensors: Mapping[str, Tensor], meta: Mapping[str, Any], source: str) -> SAE:
    """The SAE of `tensors` and `meta`, checked against its fingerprint.

    Raises:
        StudyError: it is no SAE, or the fingerprint is not reproduced.
    """
    site = meta["layer"], meta["position"]
    sae = sae_of(SaeWeights(meta["architecture"], tensors, meta, *site), source)
    z = sae.encode(tensors["fingerprint_x"])
    demand_alike(z, tensors["fingerprint_z"], f"{source}: z", "train it again")
    x_hat, told = sae.decode(z), tensors["fingerprint_x_hat"]
    demand_alike(x_hat, told, f"{source}: x_hat", "train it again")
    return sae


def demand_alike(found: Tensor, expected: Tensor, what: str, cure: str) -> None:
    """Nothing, if a fingerprint is reproduced.

    Raises:
        StudyError: it is not; the message says what may be wrong.
    """
    deviation = float((found - expected).norm() / expected.norm().clamp(min=1e-30))
    if not deviation <= TOLERANCE:
        raise StudyError(
            f"{what} of the fingerprint deviates by {deviation:.1e} (at most {TOLERANCE:.0e}): "
            "the weights are not those that were saved, or are transposed, or the architecture "
            f"is another one; {cure}"
        )


def _tensor(column: pl.Series) -> Tensor:
    return column.cast(pl.Int64).to_torch()
