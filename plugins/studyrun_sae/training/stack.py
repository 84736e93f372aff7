"""Several trainings as one: their tensors side by side, an axis more, and one step for all.

A stack is made of trainers that stay what they are: their tensors become slices of the stack's, so
that what an epoch's end does (history, resampling, states) is each member's own code. Products
are batched, the optimiser is one operation, and no step asks the device anything.

A member comes to what it comes to alone, within rounding: a batched product adds up in another
order than a single one (so does, on CPU, `torch.bmm` for small matrices).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from studyrun_sae.recipes import Recipe
from studyrun_sae.recipes.choosing import Several
from studyrun_sae.training.adam import Adam
from studyrun_sae.training.loss import LossTerms, loss_terms
from studyrun_sae.training.trainer import Trainer, on_the_sphere, tangential

__all__ = ["Stack", "orders"]


class Stack:
    """Trainings between two steps; alike in everything that decides shapes (`alike`)."""

    def __init__(self, members: Sequence[Trainer], sources: Sequence[int]) -> None:
        """Of trainers that have come equally far.

        Args:
            members: the trainers; their tensors move into the stack.
            sources: for each the place of its batches among those that `step` is given.
        """
        first, self.members = members[0], members
        self.x, offsets = _side_by_side([member.x for member in members])
        device, n = self.x.device, len(members)
        self._sources = sorted(set(sources))
        by_source = dict(zip(sources, offsets, strict=True))
        self._offsets = torch.tensor([[by_source[each]] for each in self._sources], device=device)
        self._of = None if sources == list(range(n)) else torch.tensor(sources, device=device)
        self._shared = len(self._sources) == 1
        self.recipe = _recipe_of(members, device)
        self.weights = _stacked([member.weights for member in members])
        self.adam = Adam(self.weights, first.adam.beta1, first.adam.beta2)
        self.adam.steps = first.adam.steps
        self.adam.means = _stacked([member.adam.means for member in members])
        self.adam.squares = _stacked([member.adam.squares for member in members])
        self._idle = _stacked([member.idle for member in members])["rows"]
        self._sums = _stacked([member.sums for member in members])["epoch"]
        self._unit = first.params.decoder_norm == "unit"
        self._variance = self.x.new_tensor([member.variance for member in members])
        self._aux_k = Several.of([member.aux_k for member in members], device)
        self._aux_weight = self.x.new_tensor([member.params.aux_weight for member in members])
        after = [member.params.dead_after for member in members]
        self._dead_after = torch.tensor(after, device=device)[:, None] * len(first.x)
        self._aux_from = min(after) if self._aux_k.most else None

    def step(self, rows: Int[Tensor, "sources batch"], rates: Sequence[float]) -> None:
        """One step of every member's optimiser, on the rows of its source, at its own rate."""
        leaves = {name: w.detach().requires_grad_() for name, w in self.weights.items()}
        aux_k = self._aux_k if self._may_be_dead else 0
        x, dead = self._gathered(rows), self._idle >= self._dead_after
        terms = loss_terms(self.recipe, leaves, x, self._variance, dead, aux_k)
        loss = terms.reconstruction + terms.penalty + self._aux_weight * terms.auxiliary
        gradients = torch.autograd.grad(loss.sum(), list(leaves.values()))
        self._move(dict(zip(leaves, gradients, strict=True)), rates)
        self._count(terms, rows.shape[1])

    def end_epoch(self, rates: Sequence[float]) -> None:
        """What every member does at the end of an epoch."""
        for index, (member, rate) in enumerate(zip(self.members, rates, strict=True)):
            member.adam.steps = self.adam.steps
            member.recipe.state = {name: t[index] for name, t in self.recipe.state.items()}
            member.end_epoch(rate)

    @property
    def _may_be_dead(self) -> bool:
        """Whether enough rows have been seen that a feature can have been idle for long."""
        return self._aux_from is not None and len(self.members[0].history) >= self._aux_from

    def _gathered(self, rows: Int[Tensor, "sources batch"]) -> Float[Tensor, "stack batch d_in"]:
        """Every member's batch; what members share is read once."""
        batch = self.x[rows + self._offsets]
        if self._shared:
            return batch.expand(len(self.members), -1, -1)
        return batch if self._of is None else batch[self._of]

    @torch.no_grad()
    def _move(self, gradients: dict[str, Tensor], rates: Sequence[float]) -> None:
        W_dec = self.weights["W_dec"].flatten(0, 1)  # a view: the stack is contiguous
        if self._unit:
            gradients["W_dec"] = gradients["W_dec"].contiguous()
            tangential(gradients["W_dec"].flatten(0, 1), W_dec)
        self.adam.step_each(gradients, rates)
        if self._unit:
            on_the_sphere(W_dec)

    @torch.no_grad()
    def _count(self, terms: LossTerms, n: int) -> None:
        passed = terms.passed
        self.recipe.after(passed)
        self._idle.add_(n).masked_fill_(passed.fired, 0.0)
        means = torch.stack([terms.reconstruction, terms.auxiliary, terms.penalty], 1).detach()
        self._sums[:, :3] += n * means
        self._sums[:, 3] += passed.n_active


def orders(
    n: int, epochs: int, generators: Sequence[torch.Generator], device: torch.device
) -> Iterator[Int[Tensor, "sources rows"]]:
    """The order of the rows in every epoch, of each generator its own."""
    for _ in range(epochs):
        drawn = [torch.randperm(n, generator=generator) for generator in generators]
        yield torch.stack(drawn).to(device)


def _side_by_side(sites: Sequence[Tensor]) -> tuple[Float[Tensor, "rows d_in"], list[int]]:
    """The rows of all sites, each once, and where each member's begin."""
    places: dict[int, int] = {}
    kept: list[Tensor] = []
    for x in sites:
        if id(x) not in places:
            places[id(x)] = sum(map(len, kept))
            kept.append(x)
    return (kept[0] if len(kept) == 1 else torch.cat(kept)), [places[id(x)] for x in sites]


def _stacked(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors of all members side by side; theirs become slices of it."""
    whole = {}
    for name in list(parts[0]):
        whole[name] = torch.stack([part[name] for part in parts])
        for index, part in enumerate(parts):
            part[name] = whole[name][index]
    return whole


def _recipe_of(members: Sequence[Trainer], device: torch.device) -> Recipe:
    """The members' recipe for a stack of them."""
    first = members[0].recipe
    k = Several.of([member.recipe.alone for member in members], device)
    recipe = type(first)(k, first.d_sae, first.own)
    states: list[dict[str, Tensor]] = [member.recipe.state for member in members]
    recipe.state = {name: t.to(device) for name, t in _stacked(states).items()}
    return recipe
