"""What edits add to the residual at their site, run by run, kept as what they moved.

A run is one edit on one problem on which the edit changes anything. With few active features that
is little: the difference of a run is a few moved features times their decoder rows, made when the
run is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

__all__ = [
    "Chosen",
    "Dense",
    "Differences",
    "Joined",
    "Moved",
    "RandomDirections",
    "moved_by_edits",
]

BANK = 1024
"""Random directions that runs draw theirs from."""
Intervene = Callable[[Tensor, Tensor], Tensor]


@runtime_checkable
class Differences(Protocol):
    """The differences of some runs."""

    @property
    def edit(self) -> Tensor:
        """(runs,) int64, which edit."""

    @property
    def row(self) -> Tensor:
        """(runs,) int64, on which of the problems."""

    def __call__(self, runs: Tensor) -> Tensor:
        """(n,) numbers of runs -> (n, d_model)."""


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """Differences (z' - z) @ W_dec, from the features that were moved."""

    edit: Int[Tensor, " runs"]
    row: Int[Tensor, " runs"]
    starts: Int[Tensor, " ends"]
    """Where each run's features begin in `features`, and where the last one's end."""
    features: Int[Tensor, " moved"]
    by: Float[Tensor, " moved"]
    """z' - z of that feature."""
    W_dec: Float[Tensor, "d_sae d_model"]

    def __call__(self, runs: Tensor) -> Tensor:
        """(n,) numbers of runs -> (n, d_model)."""
        begin, count = self.starts[runs], self.starts[runs + 1] - self.starts[runs]
        run = torch.arange(len(runs)).repeat_interleave(count)
        first = (count.cumsum(0) - count)[run]
        place = begin[run] + torch.arange(len(run)) - first
        rows = self.by[place].to(self.W_dec)[:, None] * self.W_dec[self.features[place]]
        out = self.W_dec.new_zeros(len(runs), self.W_dec.shape[1])
        return out.index_add_(0, run.to(out.device), rows)


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """Differences given as they are, one matrix per edit."""

    edit: Int[Tensor, " runs"]
    row: Int[Tensor, " runs"]
    values: Callable[[int, Tensor], Tensor]
    """(edit, (n,) rows) -> (n, d_model)."""

    def __call__(self, runs: Tensor) -> Tensor:
        """(n,) numbers of runs -> (n, d_model)."""
        edits = self.edit[runs]
        parts = {e: (edits == e).nonzero()[:, 0] for e in sorted(set(edits.tolist()))}
        found = {e: self.values(e, self.row[runs[at]]) for e, at in parts.items()}
        width = next(iter(found.values())).shape[1]
        out = torch.empty(len(runs), width)
        for edit, at in parts.items():
            out[at] = found[edit].to(out)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class RandomDirections:
    """The same runs, each difference turned into a random direction of the same norm."""

    of: Differences
    bank: Float[Tensor, "bank d_model"]
    """Unit vectors, uniform on the sphere."""
    drawn: Int[Tensor, " runs"]
    """Which of them each run takes."""

    @classmethod
    def drawn_for(
        cls, of: Differences, d_model: int, generator: torch.Generator
    ) -> RandomDirections:
        """A direction for every run."""
        bank = normalize(torch.randn(BANK, d_model, generator=generator), dim=1)
        return cls(of, bank, torch.randint(BANK, (len(of.edit),), generator=generator))

    @property
    def edit(self) -> Tensor:
        """(runs,) int64, which edit."""
        return self.of.edit

    @property
    def row(self) -> Tensor:
        """(runs,) int64, on which of the problems."""
        return self.of.row

    def __call__(self, runs: Tensor) -> Tensor:
        """(n,) numbers of runs -> (n, d_model)."""
        own = self.of(runs)
        norm = torch.linalg.vector_norm(own, dim=1, keepdim=True)
        turned: Tensor = norm * self.bank[self.drawn[runs]].to(own)
        return turned


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Some runs of others, renumbered."""

    of: Differences
    runs: Int[Tensor, " runs"]

    @property
    def edit(self) -> Tensor:
        """(runs,) int64, which edit."""
        return self.of.edit[self.runs]

    @property
    def row(self) -> Tensor:
        """(runs,) int64, on which of the problems."""
        return self.of.row[self.runs]

    def __call__(self, runs: Tensor) -> Tensor:
        """(n,) numbers of runs -> (n, d_model)."""
        return self.of(self.runs[runs])


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Runs of several sets of edits after each other."""

    parts: tuple[Differences, ...]
    edit: Int[Tensor, " runs"]
    row: Int[Tensor, " runs"]
    ends: Int[Tensor, " parts"]

    @classmethod
    def of(cls, parts: Sequence[Differences], numbers: Sequence[Tensor]) -> Joined:
        """All runs of the parts, the edits of each renumbered by its `numbers`."""
        edits = [own[part.edit] for part, own in zip(parts, numbers, strict=True)]
        sizes = torch.tensor([len(part.edit) for part in parts], dtype=torch.int64)
        empty = torch.empty(0, dtype=torch.int64)
        rows = torch.cat([empty, *(part.row for part in parts)])
        return cls(tuple(parts), torch.cat([empty, *edits]), rows, sizes.cumsum(0))

    def __call__(self, runs: Tensor) -> Tensor:
        """(n,) numbers of runs -> (n, d_model)."""
        which = torch.bucketize(runs, self.ends, right=True)
        starts = torch.cat([self.ends.new_zeros(1), self.ends])
        found = [
            (at, self.parts[number](runs[at] - starts[number]))
            for number in sorted(set(which.tolist()))
            for at in [(which == number).nonzero()[:, 0]]
        ]
        out: Tensor = found[0][1].new_empty(len(runs), found[0][1].shape[1])
        for at, own in found:
            out[at.to(out.device)] = own.to(out)
        return out


def moved_by_edits(
    z: Float[Tensor, "rows d_sae"],
    W_dec: Float[Tensor, "d_sae d_model"],
    intervene: Intervene,
    edits: Sequence[tuple[int, ...]],
    *,
    featurewise: bool,
) -> Moved:
    """The runs of all edits on all rows that they change, edit by edit.

    Args:
        z: feature activations of the problems.
        W_dec: the SAE's decoder.
        intervene: z' of (z, features).
        edits: features of each.
        featurewise: the intervention's law: edits of single features may be read off one pass.
    """
    if featurewise and edits and all(len(edit) == 1 for edit in edits):
        chosen = torch.tensor([edit[0] for edit in edits], device=z.device)
        together = torch.tensor(sorted({edit[0] for edit in edits}), device=z.device)
        change = (intervene(z, together) - z)[:, chosen].T.cpu()
        edit, row = (change != 0).nonzero(as_tuple=True)
        starts = torch.arange(len(edit) + 1)
        return Moved(edit, row, starts, chosen.cpu()[edit], change[edit, row], W_dec)
    parts = [_moved(z, intervene, edit) for edit in edits]
    count = torch.tensor([len(rows) for rows, _, _, _ in parts], dtype=torch.int64)
    counts = torch.cat([torch.zeros(1, dtype=torch.int64), *(n for _, n, _, _ in parts)])
    empty = torch.empty(0, dtype=torch.int64)
    return Moved(
        edit=torch.arange(len(parts)).repeat_interleave(count),
        row=torch.cat([empty, *(rows for rows, _, _, _ in parts)]),
        starts=counts.cumsum(0),
        features=torch.cat([empty, *(features for _, _, features, _ in parts)]),
        by=torch.cat([z.new_empty(0).cpu(), *(by for _, _, _, by in parts)]),
        W_dec=W_dec,
    )


def _moved(
    z: Tensor, intervene: Intervene, edit: tuple[int, ...]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows that one edit changes, how many features in each, which, and by how much."""
    change = (intervene(z, torch.tensor(edit, device=z.device)) - z).cpu()
    row, feature = (change != 0).nonzero(as_tuple=True)
    rows, count = torch.unique_consecutive(row, return_counts=True)
    return rows, count, feature, change[row, feature]
