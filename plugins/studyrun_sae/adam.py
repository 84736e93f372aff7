"""Adam for a handful of tensors.

torch's own imports its compiler on the first step, which costs more than training a small SAE;
a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

__all__ = ["Adam"]

PIECE = 1 << 16
"""Numbers changed at once: so few that they stay in the processor's cache from one operation to
the next. Which numbers are together changes no bit."""


@dataclass(eq=False)
class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) over named tensors, changed in place."""

    tensors: dict[str, Tensor]
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    steps: int = 0
    means: dict[str, Tensor] = field(init=False)
    squares: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.means = {name: torch.zeros_like(t) for name, t in self.tensors.items()}
        self.squares = {name: torch.zeros_like(t) for name, t in self.tensors.items()}

    @torch.no_grad()
    def step(self, gradients: dict[str, Tensor], lr: float) -> None:
        """One step of size `lr` against the gradients, which are named as the tensors are."""
        self.steps += 1
        to_mean = 1 - self.beta1**self.steps
        to_square = 1 - self.beta2**self.steps
        for name, gradient in gradients.items():
            ours = (self.tensors[name], self.means[name], self.squares[name])
            parts = (torch.split(each.view(-1), PIECE) for each in ours)
            for piece, *rest in zip(torch.split(gradient.reshape(-1), PIECE), *parts, strict=True):
                self._move(piece, *rest, to_square=to_square, rate=lr / to_mean)

    def _move(
        self,
        gradient: Tensor,
        tensor: Tensor,
        mean: Tensor,
        square: Tensor,
        *,
        to_square: float,
        rate: float,
    ) -> None:
        mean.lerp_(gradient, 1 - self.beta1)
        square.mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
        scale = (square / to_square).sqrt_().add_(self.eps)
        tensor.addcdiv_(mean, scale, value=-rate)

    @torch.no_grad()
    def forget(self, entries: Mapping[str, Any]) -> None:
        """Start entries anew, given by tensor as an index: their means are 0."""
        for name, index in entries.items():
            self.means[name][index] = 0.0
            self.squares[name][index] = 0.0
