"""Training a k-sparse SAE: a function of activations, recipe and generator, nothing else.

On CPU the same generator gives the same bytes, whatever the number of threads: products and
sums run along one dimension at a time, whose order no thread count changes (tested).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor

from studyrun_sae import columns
from studyrun_sae.adam import Adam
from studyrun_sae.initial import initial_sae, input_scale
from studyrun_sae.loss import LossTerms, loss_terms
from studyrun_sae.params import SaeTrain
from studyrun_sae.sae import SAE

__all__ = ["HISTORY", "Trained", "learning_rate", "rescaled", "train"]

HISTORY = columns.HISTORY.schema()
Track = Callable[[Iterator[Tensor], int], Iterable[Tensor]]
"""(items, total) -> the items again, with progress."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What training returns."""

    sae: SAE
    history: pl.DataFrame
    """HISTORY, of the rows trained on while the weights moved; `dead`: active on none of them."""


def train(
    x: Float[Tensor, "rows d_in"], params: SaeTrain, generator: torch.Generator, track: Track
) -> Trained:
    """An SAE of the rows of `x`.

    Args:
        x: residuals of the train split, on the device to train on.
        params: the recipe.
        generator: on CPU; the only source of chance, so that every device draws alike.
        track: shows progress over the steps.

    Raises:
        ValueError: `x` has no variance, so there is nothing to learn.
    """
    scale = input_scale(x, params.input_norm)
    steps_per_epoch = -(-len(x) // params.batch_size)
    total = params.epochs * steps_per_epoch
    trainer = _Trainer(x / scale, initial_sae(x / scale, params, generator), params)
    for step, rows in enumerate(track(_batches(len(x), params, generator), total)):
        lr = learning_rate(step, total, params)
        trainer.step(rows.to(x.device), lr)
        if (step + 1) % steps_per_epoch == 0:
            trainer.end_epoch(lr)
    return Trained(rescaled(trainer.sae, scale), pl.DataFrame(trainer.history, HISTORY))


def rescaled(sae: SAE, scale: float) -> SAE:
    """The SAE of x, given the one of x / scale: the same features, activations times `scale`.

    Exact for architectures that only select and rectify: activate(s * h) = s * activate(h).
    """
    return replace(sae, b_enc=sae.b_enc * scale, b_dec=sae.b_dec * scale)


def learning_rate(step: int, total: int, params: SaeTrain) -> float:
    """The rate of step `step` of `total`: up over `warmup`, constant, down over `decay`."""
    up = (step + 1) / (params.warmup * total) if params.warmup else 1.0
    down = (total - step) / (params.decay * total) if params.decay else 1.0
    return params.lr * min(1.0, up, down)


def _batches(n: int, params: SaeTrain, generator: torch.Generator) -> Iterator[Tensor]:
    for _ in range(params.epochs):
        order = torch.randperm(n, generator=generator)
        for start in range(0, n, params.batch_size):
            yield order[start : start + params.batch_size]


@dataclass(eq=False)
class _Trainer:
    """The moving parts: weights, optimiser, and how long each feature has been idle."""

    x: Float[Tensor, "rows d_in"]
    sae: SAE
    params: SaeTrain
    history: list[dict[str, int | float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        sae = self.sae
        self._adam = Adam(sae.weights, self.params.beta1, self.params.beta2)
        self._aux_k = self.params.aux_k or 2 * self.params.k
        self._variance = float((self.x - self.x.mean(0)).square().sum(1).mean())
        self._idle = torch.zeros(sae.d_sae, device=self.x.device)  # rows since last active
        self._sums = torch.zeros(2, device=self.x.device)

    def step(self, rows: Int[Tensor, " batch"], lr: float) -> None:
        """One step of the optimiser on those rows."""
        leaves = {name: w.detach().requires_grad_() for name, w in self.sae.weights.items()}
        dead = self._idle >= self.params.dead_after * len(self.x)
        aux_k = self._aux_k if self.params.aux_weight else 0
        sae = self.sae.with_weights(leaves)
        terms = loss_terms(sae, self.x[rows], self._variance, dead, aux_k)
        loss = terms.reconstruction + self.params.aux_weight * terms.auxiliary
        gradients = torch.autograd.grad(loss, list(leaves.values()))
        self._move(dict(zip(leaves, gradients, strict=True)), lr)
        self._count(terms, len(rows))

    def end_epoch(self, lr: float) -> None:
        """Write the epoch's row of the history."""
        n = len(self.x)
        fvu, auxiliary = (self._sums / n).tolist()
        dead = int((self._idle >= n).sum())
        epoch = len(self.history) + 1
        row = {"epoch": epoch, "fvu": fvu, "auxiliary": auxiliary, "dead": dead, "lr": lr}
        self.history.append(row)
        self._sums.zero_()

    @torch.no_grad()
    def _move(self, gradients: dict[str, Tensor], lr: float) -> None:
        """Step, and keep the decoder's rows on the unit sphere if the recipe says so."""
        W_dec, unit = self.sae.W_dec, self.params.decoder_norm == "unit"
        if unit:
            along = (gradients["W_dec"] * W_dec).sum(1, keepdim=True)
            gradients["W_dec"] = gradients["W_dec"] - along * W_dec
        self._adam.step(gradients, lr)
        if unit:
            W_dec.div_(torch.linalg.vector_norm(W_dec, dim=1, keepdim=True))

    @torch.no_grad()
    def _count(self, terms: LossTerms, n: int) -> None:
        self._idle += n
        self._idle[terms.active.features[terms.active.values != 0]] = 0
        self._sums += n * torch.stack([terms.reconstruction, terms.auxiliary]).detach()
