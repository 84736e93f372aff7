"""Adam for a handful of tensors.

torch's own imports its compiler on the first step, which costs more than training a small SAE;
a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

__all__ = ["Adam"]


@dataclass(eq=False)
class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) over named tensors, changed in place.

    By torch's fused kernel: one pass over the memory, and no bit depends on the number of threads.
    """

    tensors: dict[str, Tensor]
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    steps: int = 0
    means: dict[str, Tensor] = field(init=False)
    squares: dict[str, Tensor] = field(init=False)
    _counted: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.means = {name: torch.zeros_like(t) for name, t in self.tensors.items()}
        self.squares = {name: torch.zeros_like(t) for name, t in self.tensors.items()}
        first = next(iter(self.tensors.values()))
        self._counted = torch.zeros((), device=first.device)

    @torch.no_grad()
    def step(self, gradients: dict[str, Tensor], lr: float) -> None:
        """One step of size `lr` against the gradients, which are named as the tensors are."""
        self._count()
        self._move(self._moved(gradients), lr)

    @torch.no_grad()
    def step_each(self, gradients: dict[str, Tensor], rates: Sequence[float]) -> None:
        """The same of stacks of tensors, each member at its own rate."""
        self._count()
        moved = self._moved(gradients)
        for rate in dict.fromkeys(rates):
            members = [index for index, each in enumerate(rates) if each == rate]
            some = moved
            if len(members) < len(rates):
                some = [tuple(t[index] for t in parts) for parts in moved for index in members]
            self._move(some, rate)

    def _count(self) -> None:
        self.steps += 1
        self._counted.fill_(self.steps)

    def _moved(self, gradients: dict[str, Tensor]) -> list[tuple[Tensor, ...]]:
        """(tensor, gradient, mean, square) of each."""
        return [
            (self.tensors[name], gradient.contiguous(), self.means[name], self.squares[name])
            for name, gradient in gradients.items()
        ]

    def _move(self, moved: Sequence[tuple[Tensor, ...]], lr: float) -> None:
        tensors, gradients, means, squares = (list(part) for part in zip(*moved, strict=True))
        torch._fused_adam_(
            tensors, gradients, means, squares, [], [self._counted] * len(tensors),
            lr=lr, beta1=self.beta1, beta2=self.beta2, weight_decay=0.0, eps=self.eps,
            amsgrad=False, maximize=False,
        )  # fmt: skip

    @torch.no_grad()
    def forget(self, entries: Mapping[str, Any]) -> None:
        """Start entries anew, given by tensor as an index: their means are 0."""
        for name, index in entries.items():
            self.means[name][index] = 0.0
            self.squares[name][index] = 0.0
