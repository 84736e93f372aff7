"""The moving parts of training: weights, optimiser, and how long each feature has been idle."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from studyrun_sae import columns, metrics
from studyrun_sae.blocks import blocks
from studyrun_sae.params import SaeTrain
from studyrun_sae.recipes import recipe_of
from studyrun_sae.sae import SAE
from studyrun_sae.training.adam import Adam
from studyrun_sae.training.initial import initial_weights
from studyrun_sae.training.keeping import State
from studyrun_sae.training.loss import LossTerms, loss_terms
from studyrun_sae.training.resampling import entries_of, resample

__all__ = ["Trainer", "on_the_sphere", "tangential"]


class Trainer:
    """Training between two steps."""

    def __init__(
        self,
        x: Float[Tensor, "rows d_in"],
        params: SaeTrain,
        generator: torch.Generator,
        held_out: Float[Tensor, "held_out d_in"] | None = None,
    ) -> None:
        """At its beginning; `x` and `held_out` are scaled already."""
        self.x, self.params, self.held_out = x, params, held_out
        self.seed = generator.initial_seed()
        self.recipe = recipe_of(params)
        self.weights = initial_weights(x, params, self.recipe, generator)
        self.adam = Adam(self.weights, params.beta1, params.beta2)
        self.idle = {"rows": torch.zeros(params.d_sae, device=x.device)}  # since last active
        self.history: list[dict[str, int | float | None]] = []
        self._columns = columns.history(params).columns
        self.aux_k = (params.aux_k or 2 * params.k) if params.aux_weight else 0
        self.variance = float((x - x.mean(0)).square().sum(1).mean())
        self.sums = {"epoch": torch.zeros(4, device=x.device)}

    @property
    def sae(self) -> SAE:
        """The SAE that training has come to, of the scaled input."""
        return self.recipe.sae(self.weights)

    def step(self, rows: Int[Tensor, " batch"], lr: float) -> None:
        """One step of the optimiser on those rows."""
        leaves = {name: w.detach().requires_grad_() for name, w in self.weights.items()}
        terms = loss_terms(
            self.recipe, leaves, self.x[rows], self.variance, self._dead(), self.aux_k
        )
        loss = terms.reconstruction + terms.penalty + self.params.aux_weight * terms.auxiliary
        gradients = torch.autograd.grad(loss, list(leaves.values()))
        self._move(dict(zip(leaves, gradients, strict=True)), lr)
        self._count(terms, len(rows))

    def end_epoch(self, lr: float) -> None:
        """Write the epoch's row of the history; start dead features anew where it is time."""
        n = len(self.x)
        fvu, auxiliary, penalty, l0 = (self.sums["epoch"] / n).tolist()
        epoch = len(self.history) + 1
        row = {
            "epoch": epoch,
            "fvu": fvu,
            "auxiliary": auxiliary,
            "dead": int((self.idle["rows"] >= n).sum()),
            "lr": lr,
            "penalty": penalty,
            "l0": l0,
            "fvu_held_out": self._fvu_held_out(),
        }
        self.history.append({name: row[name] for name in self._columns})
        self.sums["epoch"].zero_()
        every = self.params.resample_every
        if every and epoch % every == 0 and epoch < self.params.epochs:
            self._resample()

    @property
    def state(self) -> State:
        """Everything that an epoch's end hands on; chance apart, which is drawn again."""
        parts = self._parts()
        tensors = {f"{part}.{name}": t for part in parts for name, t in parts[part].items()}
        return State(tensors, {"steps": self.adam.steps, "history": self.history})

    def go_on(self, state: State) -> None:
        """Take over a state."""
        for part, tensors in self._parts().items():
            for name, t in tensors.items():
                tensors[name] = state.tensors[f"{part}.{name}"].to(t.device)
        self.adam.steps, self.history = state.facts["steps"], list(state.facts["history"])

    def _parts(self) -> dict[str, dict[str, Tensor]]:
        return {
            "weights": self.weights,  # the optimiser changes the same tensors
            "means": self.adam.means,
            "squares": self.adam.squares,
            "recipe": self.recipe.state,
            "idle": self.idle,
        }

    def _dead(self) -> Bool[Tensor, " d_sae"]:
        return self.idle["rows"] >= self.params.dead_after * len(self.x)

    @torch.no_grad()
    def _move(self, gradients: dict[str, Tensor], lr: float) -> None:
        """Step, and keep the decoder's rows on the unit sphere if the recipe says so."""
        if self.params.decoder_norm == "unit":
            tangential(gradients["W_dec"], self.weights["W_dec"])
        self.adam.step(gradients, lr)
        if self.params.decoder_norm == "unit":
            on_the_sphere(self.weights["W_dec"])

    @torch.no_grad()
    def _count(self, terms: LossTerms, n: int) -> None:
        passed = terms.passed
        self.recipe.after(passed)
        self.idle["rows"] += n
        self.idle["rows"][passed.fired] = 0
        means = torch.stack([terms.reconstruction, terms.auxiliary, terms.penalty]).detach()
        self.sums["epoch"][:3] += n * means
        self.sums["epoch"][3] += passed.n_active

    def _fvu_held_out(self) -> float | None:
        if self.held_out is None or bool((self.held_out == self.held_out[0]).all()):
            return None
        return metrics.fvu(self.held_out, self._reconstructed(self.held_out))

    @torch.no_grad()
    def _reconstructed(self, x: Float[Tensor, "rows d_in"]) -> Float[Tensor, "rows d_in"]:
        sae = self.sae
        return torch.cat([sae.reconstruct(x[rows]) for rows in blocks(len(x))])

    def _resample(self) -> None:
        dead = self._dead()
        if bool(dead.any()) and not bool(dead.all()):
            error = (self.x - self._reconstructed(self.x)).square().sum(1)
            pre_bias = self.sae.architecture.pre_bias
            generator = torch.Generator().manual_seed(self.seed + len(self.history))
            resample(self.weights, dead, self.x, error, generator, pre_bias)
            self.adam.forget(entries_of(dead, self.weights))
            self.idle["rows"][dead] = 0


def tangential(gradient: Float[Tensor, "rows d_in"], W_dec: Float[Tensor, "rows d_in"]) -> None:
    """Take from each row of the gradient, in place, its part along the unit row of W_dec."""
    along = (gradient * W_dec).sum(1, keepdim=True)
    gradient.addcmul_(along, W_dec, value=-1)


def on_the_sphere(W_dec: Float[Tensor, "rows d_in"]) -> None:
    """Give every row norm 1, in place."""
    W_dec.div_(torch.linalg.vector_norm(W_dec, dim=1, keepdim=True))
