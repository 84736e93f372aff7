"""What an edit does to the reconstruction of every row, in closed form where there is one.

x_hat(z') - x_hat(z) = (z' - z) @ W_dec. Where an intervention is featurewise and edits feature f
alone, that is (z'_f - z_f) W_dec[f]: a number per row times a vector per feature, so every norm of
it is |z'_f - z_f| times the same norm of W_dec[f], for all features in one pass, without decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from studyrun import EffectCase

__all__ = ["Changes", "changes", "closed_form", "decoded", "delta"]


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """Norms of x_hat(z') - x_hat(z), per row and edit, float64."""

    mean_abs: Float[Tensor, "rows edits"]
    """Mean |difference| over the dimensions."""
    max_abs: Float[Tensor, "rows edits"]
    """Largest |difference| of a dimension."""
    l2: Float[Tensor, "rows edits"]
    """Euclidean norm of the difference."""
    active: Bool[Tensor, "rows edits"]
    """Whether an edited feature was active before the edit."""


def changes(case: EffectCase, edits: Sequence[tuple[int, ...]]) -> Changes:
    """The changes, by the closed form where it holds, else edit by edit."""
    if case.featurewise and all(len(edit) == 1 for edit in edits):
        return closed_form(case, [edit[0] for edit in edits])
    return decoded(case, edits)


def closed_form(case: EffectCase, features: Sequence[int]) -> Changes:
    """The changes of a featurewise intervention, one feature per edit, in one pass."""
    chosen = torch.tensor(features, dtype=torch.int64, device=case.z.device)
    z = case.z[:, chosen].double()
    moved = (case.intervene(case.z, chosen)[:, chosen].double() - z).abs()
    W_dec = case.W_dec[chosen].double().abs()
    return Changes(
        mean_abs=moved * W_dec.mean(1),
        max_abs=moved * W_dec.amax(1),
        l2=moved * torch.linalg.vector_norm(W_dec, dim=1),
        active=z != 0,
    )


def decoded(case: EffectCase, edits: Sequence[tuple[int, ...]]) -> Changes:
    """The changes of any intervention, decoding the columns that each edit changed."""
    rows, z = len(case.z), case.z
    norms = torch.empty(3, rows, len(edits), dtype=torch.float64, device=z.device)
    active = torch.empty(rows, len(edits), dtype=torch.bool, device=z.device)
    for index, edit in enumerate(edits):
        difference = delta(case, edit).double()
        norms[0, :, index] = difference.abs().mean(1)
        norms[1, :, index] = difference.abs().amax(1)
        norms[2, :, index] = torch.linalg.vector_norm(difference, dim=1)
        active[:, index] = (z[:, list(edit)] != 0).any(1)
    return Changes(mean_abs=norms[0], max_abs=norms[1], l2=norms[2], active=active)


def delta(case: EffectCase, edit: tuple[int, ...]) -> Float[Tensor, "rows d_in"]:
    """x_hat(z') - x_hat(z) of every row, from the columns that differ."""
    moved = case.intervene(case.z, torch.tensor(edit, device=case.z.device)) - case.z
    columns = (moved != 0).any(0).nonzero()[:, 0]
    return moved[:, columns] @ case.W_dec[columns]
