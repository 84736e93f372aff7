"""Adam for a handful of tensors.

torch's own imports its compiler on the first step, which costs more than training a small SAE;
a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Adam", "StackedAdam"]

PIECE = 1 << 16
"""Numbers changed at once: so few that they stay in the processor's cache from one operation to
the next. Which numbers are together changes no bit."""


def pieces(flat: Float[Tensor, "*rows columns"], size: int) -> Sequence[Tensor]:
    """Its first axis, `size` at once on a processor, which has a cache; else all."""
    return torch.split(flat, size) if flat.device.type == "cpu" else (flat,)


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
            parts = (pieces(each.view(-1), PIECE) for each in ours)
            for piece, *rest in zip(pieces(gradient.reshape(-1), PIECE), *parts, strict=True):
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


@dataclass(eq=False)
class StackedAdam(Adam):
    """Adam over stacks of tensors, all in one operation for each rate that members have."""

    _counted: Tensor = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        first = next(iter(self.tensors.values()))
        self._counted = torch.zeros((), device=first.device)

    @torch.no_grad()
    def step_each(self, gradients: dict[str, Tensor], rates: Sequence[float]) -> None:
        """One step, of each member's own size."""
        self.steps += 1
        self._counted.fill_(self.steps)
        of_all = [(self.tensors[name], g, self.means[name], self.squares[name])
                  for name, g in gradients.items()]  # fmt: skip
        for rate in dict.fromkeys(rates):
            members = [index for index, each in enumerate(rates) if each == rate]
            chosen = of_all
            if len(members) < len(rates):
                chosen = [tuple(t[index] for t in parts) for parts in of_all for index in members]  # type: ignore[misc]
            tensors, grads, means, squares = (list(part) for part in zip(*chosen, strict=True))
            torch._fused_adam_(
                tensors, grads, means, squares, [], [self._counted] * len(tensors),
                lr=rate, beta1=self.beta1, beta2=self.beta2, weight_decay=0.0, eps=self.eps,
                amsgrad=False, maximize=False,
            )  # fmt: skip
