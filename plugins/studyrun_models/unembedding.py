"""The head read as a function of directions: the logit lens of what is added to the stream.

Source: nostalgebraist 2020, "interpreting GPT: the logit lens",
https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru; of a decoder direction of an SAE: Bricken et al.
2023, "Towards Monosemanticity"; the norm's weight folded into the head as TransformerLens does it
(`fold_layer_norm`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from studyrun_models.blocks import SiteError
from studyrun_models.siblings import after_the_blocks

if TYPE_CHECKING:
    from studyrun_models.stack import Stack

__all__ = ["Unembedding", "norm_weight", "unembedding"]

Linear = Callable[[Tensor], Tensor]
"""A linear map of the last dimension."""
ROWS = 2**14
"""Rows of W_U that are made float32 at once."""
LARGE = 100.0
"""Size of the numbers that a norm is tried with: its epsilon is as nothing beside their squares."""
ALIKE = {torch.float32: 1e-3, torch.float64: 1e-3, torch.float16: 0.02, torch.bfloat16: 0.05}
"""How far the head's own scores may be from linear ones."""


class Unembedding:
    """Directions in the residual stream -> what they add to the scores of tokens."""

    def __init__(self, after: list[Linear], weight: Tensor) -> None:
        self._after, self._weight = after, weight

    @torch.inference_mode()
    def __call__(self, directions: Tensor) -> Tensor:
        """(n, vocabulary) float32, W_U (gamma * (d - mean(d))) of each direction d.

        gamma is the weight of the final norm; the mean is subtracted where that is a LayerNorm and
        not where it is an RMSNorm. Left out are the norm's scale, which depends on the rest of the
        stream, and every bias, which no direction changes.

        Args:
            directions: (n, d_model).
        """
        d = directions.to(self._weight.device, torch.float32)
        for linear in self._after:
            d = linear(d)
        return torch.cat([d @ rows.float().T for rows in torch.split(self._weight, ROWS)], dim=1)


@torch.inference_mode()
def unembedding(stack: Stack, ids: list[int]) -> Unembedding:
    """The head of a model, checked by value.

    What a norm does to a direction is found by trying it, so that it makes no difference how its
    class writes its weight.

    Args:
        stack: the model.
        ids: some tokens, to see what stands between the last block and the head.

    Raises:
        SiteError: it is no norm and no linear map that stands there, or the head is not linear.
    """
    modules, x = after_the_blocks(stack, ids)
    head = stack.model.get_output_embeddings()
    name = type(stack.model).__name__
    if modules is None or getattr(head, "weight", None) is None or head.weight.ndim != 2:
        raise SiteError(f"{name}: what stands between its last block and its head is not known")
    after: list[Linear] = []
    d = torch.zeros(1, x.shape[-1], device=x.device)
    for module in modules:
        after.append(_linear(module, d.shape[-1], x.dtype, x.device))
        d = after[-1](d)
    found = Unembedding(after, head.weight)
    if not _agrees(found(x), *_ends(modules, head, x), ALIKE[x.dtype]):
        raise SiteError(f"{name}: its head is not linear after its final norm")
    return found


def _agrees(ours: Tensor, there: Tensor, opposite: Tensor, tolerance: float) -> bool:
    """Whether scores of streams and of their opposites are a bias and our map, scaled.

    Half of their difference points where our map does; half of their sum is the bias, which is the
    same for every stream.
    """
    change, bias = (there - opposite) / 2, (there + opposite) / 2
    alike = torch.cosine_similarity(ours, change, dim=-1).min() > 1 - tolerance
    same = (bias - bias.mean(0)).norm() <= tolerance * there.norm()
    return bool(alike & same)


def _ends(modules: list[nn.Module], head: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """(tokens, vocabulary) scores of the streams, and of the streams turned round."""

    def scores(states: Tensor) -> Tensor:
        for module in modules:
            states = module(states)
        found: Tensor = head(states).float()
        return found

    return scores(x), scores(-x)


def _linear(module: nn.Module, width: int, dtype: torch.dtype, device: torch.device) -> Linear:
    """What the module does to a direction, its bias and its scale left out."""
    if isinstance(module, nn.Linear):
        weight = module.weight.float()
        return lambda d: d @ weight.T
    gamma, centring = norm_weight(module, width, dtype, device)
    return lambda d: gamma * (d - d.mean(-1, keepdim=True) if centring else d)


def norm_weight(
    norm: nn.Module, width: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, bool]:
    """A norm's weight, and whether it subtracts the mean.

    The mean and the scale of a vector of +1 and -1 in turn are known, so what comes out is the
    weight with those signs, beside the bias. Moved away from 0 it tells whether the mean matters.
    """

    def odd(x: Tensor) -> Tensor:
        given = x.to(dtype)
        change: Tensor = (norm(given).float() - norm(-given).float()) / 2
        return change

    signs = 1.0 - 2.0 * (torch.arange(width, device=device) % 2)
    signs[width - width % 2 :] = 0
    gamma = torch.zeros(width, device=device)
    for each in (signs, signs.roll(1)):  # of an odd width either leaves one out
        known = each != 0
        scale = each.square().mean().sqrt()
        gamma[known] = (odd(LARGE * each) * each * scale)[known]
    moved = LARGE * (signs + 1)
    as_layer_norm = torch.cosine_similarity(odd(moved), gamma * (moved - moved.mean()), dim=0)
    as_rms_norm = torch.cosine_similarity(odd(moved), gamma * moved, dim=0)
    return gamma, bool(as_layer_norm > as_rms_norm)
