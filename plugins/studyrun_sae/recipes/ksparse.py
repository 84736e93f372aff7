"""The k largest of a row: topk and abstopk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from studyrun_sae.architectures import AbsTopK, KSparse, TopK
from studyrun_sae.recipes.choosing import Chosen, largest, spread
from studyrun_sae.recipes.contract import Passed, Recipe, Variance
from studyrun_sae.recipes.gradients import encoded, left, relative_error
from studyrun_sae.sae import decode_active

__all__ = ["AbsTopKRecipe", "TopKRecipe"]


class TopKRecipe(Recipe):
    """Reconstruction alone; a single SAE's k largest are decoded without the dense z."""

    name: ClassVar[str] = "topk"
    of: ClassVar[type[KSparse]] = TopK

    def architecture(self, weights: Mapping[str, Tensor]) -> KSparse:  # noqa: ARG002  # has no tensors
        """What is used is what is trained."""
        return self.of(self.alone)

    def passed(
        self,
        weights: Mapping[str, Tensor],
        x: Float[Tensor, "*stack rows d_in"],
        variance: Variance,
    ) -> Passed:
        """The loss of a batch."""
        pre_acts = encoded(weights, x, self.of.pre_bias)
        if not isinstance(self.k, int):
            return self._stacked(weights, x, variance, pre_acts)
        active = self.of(self.k).select(pre_acts)
        error = x - decode_active(active, weights["W_dec"], weights["b_dec"])
        on = active.values.detach() != 0
        reconstruction = relative_error(error, variance)
        none = x.new_zeros(())
        return Passed(pre_acts, error, reconstruction, none, on.sum(), active.features[on])

    def _stacked(
        self,
        weights: Mapping[str, Tensor],
        x: Float[Tensor, "stack rows d_in"],
        variance: Variance,
        pre_acts: Float[Tensor, "stack rows d_sae"],
    ) -> Passed:
        chosen = self.chosen(pre_acts)
        z = spread(chosen, self.kept(pre_acts, chosen), self.d_sae)
        error, reconstruction = left(x, z, weights, variance)
        on = z.detach() != 0
        none, n_active = reconstruction.detach() * 0, on.sum((-2, -1))
        return Passed(pre_acts, error, reconstruction, none, n_active, on.any(-2))

    def chosen(self, pre_acts: Float[Tensor, "stack rows d_sae"]) -> Chosen:
        """Which features of a stack stay."""
        return largest(pre_acts, self.k)

    def kept(
        self,
        pre_acts: Float[Tensor, "stack rows d_sae"],  # noqa: ARG002  # of magnitudes
        chosen: Chosen,
    ) -> Float[Tensor, "stack rows most"]:
        """Their activations."""
        return chosen.values.relu()


class AbsTopKRecipe(TopKRecipe):
    """The same of the largest magnitudes."""

    name: ClassVar[str] = "abstopk"
    of: ClassVar[type[KSparse]] = AbsTopK

    def chosen(self, pre_acts: Float[Tensor, "stack rows d_sae"]) -> Chosen:
        """Those of the largest magnitude."""
        return largest(pre_acts.detach().abs(), self.k)

    def kept(
        self, pre_acts: Float[Tensor, "stack rows d_sae"], chosen: Chosen
    ) -> Float[Tensor, "stack rows most"]:
        """As they are."""
        return pre_acts.gather(-1, chosen.places)
