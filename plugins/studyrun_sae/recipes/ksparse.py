"""The k largest of a row: topk and abstopk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from studyrun_sae.architectures import AbsTopK, KSparse, TopK
from studyrun_sae.recipes.contract import Passed, Recipe, relative_error
from studyrun_sae.sae import decode_active

__all__ = ["AbsTopKRecipe", "TopKRecipe"]


class TopKRecipe(Recipe):
    """Reconstruction alone; the k largest are decoded without the dense z."""

    name: ClassVar[str] = "topk"
    of: ClassVar[type[KSparse]] = TopK

    def architecture(self, weights: Mapping[str, Tensor]) -> KSparse:  # noqa: ARG002  # has no tensors
        """What is used is what is trained."""
        return self.of(self.k)

    def passed(
        self, weights: Mapping[str, Tensor], x: Float[Tensor, "rows d_in"], variance: float
    ) -> Passed:
        """The loss of a batch."""
        sae = self.sae(weights)
        pre_acts = sae.pre_acts(x)
        active = self.of(self.k).select(pre_acts)
        error = x - decode_active(active, sae.W_dec, sae.b_dec)
        on = active.values.detach() != 0
        reconstruction = relative_error(error, variance)
        none = x.new_zeros(())
        return Passed(pre_acts, error, reconstruction, none, on.sum(), active.features[on])


class AbsTopKRecipe(TopKRecipe):
    """The same of the largest magnitudes."""

    name: ClassVar[str] = "abstopk"
    of: ClassVar[type[KSparse]] = AbsTopK
