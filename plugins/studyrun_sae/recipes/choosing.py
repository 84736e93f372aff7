"""The largest numbers of every row, for one SAE and for a stack whose k differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Chosen", "Several", "largest", "spread"]


@dataclass(frozen=True, slots=True, eq=False)
class Several:
    """A count for every member of a stack."""

    each: Int[Tensor, " stack"]
    most: int
    """The largest of them, known without asking the device."""

    @classmethod
    def of(cls, counts: Sequence[int], device: torch.device) -> Several:
        """Those counts, on a device."""
        return cls(torch.tensor(counts, device=device), max(counts))

    def __mul__(self, factor: int) -> Several:
        return Several(self.each * factor, self.most * factor)


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The largest numbers of every row."""

    places: Int[Tensor, "*rows most"]
    values: Float[Tensor, "*rows most"]
    counts: Bool[Tensor, "*rows most"] | None
    """Which of them count, in a stack: of each member as many as it asked for."""


def largest(values: Float[Tensor, "*rows columns"], k: int | Several) -> Chosen:
    """The k largest of every row; of a stack the first axis has each member's own k."""
    if isinstance(k, int):
        top = torch.topk(values, k, dim=-1, sorted=False)
        return Chosen(top.indices, top.values, None)
    top = torch.topk(values, min(k.most, values.shape[-1]), dim=-1)
    rank = torch.arange(top.values.shape[-1], device=values.device)
    counts = rank < k.each.view(-1, *(1,) * (values.dim() - 1))
    return Chosen(top.indices, top.values, counts.expand_as(top.values))


def spread(
    chosen: Chosen, values: Float[Tensor, "*rows most"], columns: int
) -> Float[Tensor, "*rows columns"]:
    """Those values in their places, of those that count; every other place is 0."""
    if chosen.counts is not None:
        values = values.masked_fill(~chosen.counts, 0.0)
    zeros = values.new_zeros(*values.shape[:-1], columns)
    return zeros.scatter(-1, chosen.places, values)
