"""What every recipe is: what is learnt, the loss of a batch, what follows a step, the SAE.

A recipe counts axes from the last, so that the same lines train one SAE (weights as the SAE has
them) and a stack of them (one axis more, first, in weights, rows and all that comes of them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Bool, Float, Int
from torch import Tensor

from studyrun_sae.architectures import Architecture
from studyrun_sae.recipes.choosing import Several
from studyrun_sae.sae import SAE, WEIGHTS

__all__ = ["Passed", "Recipe", "Variance"]

Variance = float | Tensor
"""Of the rows trained on, summed over dimensions; of a stack (stack,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Passed:
    """A batch that passed through the SAE being trained, or through a stack."""

    pre_acts: Float[Tensor, "*stack rows d_sae"]
    """Before the activation function."""
    error: Float[Tensor, "*stack rows d_in"]
    """x - x_hat."""
    reconstruction: Float[Tensor, "*stack"]
    """sum (x - x_hat)^2 / (rows * total variance): the batch's fvu, about."""
    penalty: Float[Tensor, "*stack"]
    """What else is minimised, with its weight."""
    n_active: Int[Tensor, "*stack"]
    """Pairs of row and active feature."""
    fired: Int[Tensor, " pairs"] | Bool[Tensor, "*stack d_sae"]
    """Which features were active on some row: a mask, or (never of a stack) their numbers,
    repeated or not."""
    smallest: Float[Tensor, "*stack"] | None = None
    """The smallest activation that was kept, where a threshold is learnt from it."""


class Recipe:
    """How one architecture is trained.

    A new one subclasses this, is listed in RECIPES, and says `architecture` and `passed`; what
    it does not override does nothing. Its tensors live in two places: those that the gradient
    moves in the trainer's `weights`, those that it moves itself in `state`.
    """

    name: ClassVar[str]
    """As studies call it."""

    def __init__(self, k: int | Several, d_sae: int, own: Any = None) -> None:
        """Of a study's parameters: `own` are the architecture's; `Several` k are a stack's."""
        self.k, self.d_sae, self.own = k, d_sae, own
        self.state: dict[str, Tensor] = {}
        """What training must remember beside the weights."""

    def learnt(
        self,
        weights: Mapping[str, Tensor],  # noqa: ARG002  # most learn nothing more
        x: Float[Tensor, "rows d_in"],  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """What is learnt beside the four `weights`, where it starts; one number a feature."""
        return {}

    def architecture(self, weights: Mapping[str, Tensor]) -> Architecture:
        """The architecture as training has it now; a stack's members have one, it has none."""
        raise NotImplementedError

    def passed(
        self,
        weights: Mapping[str, Tensor],
        x: Float[Tensor, "*stack rows d_in"],
        variance: Variance,
    ) -> Passed:
        """The loss of a batch; `variance` is the training set's, summed over dimensions."""
        raise NotImplementedError

    def after(self, passed: Passed) -> None:
        """Called after each step, without gradients."""

    def sae(self, weights: Mapping[str, Tensor]) -> SAE:
        """The SAE that training has come to."""
        four: dict[str, Any] = {name: weights[name] for name in WEIGHTS}
        return SAE(**four, architecture=self.architecture(weights))

    @property
    def alone(self) -> int:
        """The k of a single SAE."""
        assert isinstance(self.k, int), "a stack has no k, its members have"
        return self.k

    @property
    def each(self) -> int | Tensor:
        """That k as a number to calculate with: one, or one for each member."""
        return self.k if isinstance(self.k, int) else self.k.each
