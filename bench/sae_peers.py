"""How SAELens and dictionary_learning encode and train, for `bench/sae.py`.

Called as their sources do it: their trainers' step without logging or checkpoints, float32, their
defaults (SAELens trains on sparse activations and tells decoder norms apart from activations,
dictionary_learning keeps decoder rows at norm 1). Trainers are built before the clock starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from peers import installed
from torch import Tensor

__all__ = ["encoders", "trainers"]

SAELENS, DICTIONARY = "SAELens", "dictionary_learning"
STEPS = 10_000
"""Of a schedule whose length does not matter."""


def encoders(d_in: int, d_sae: int, k: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """Name and version -> from rows to a dense z, of a TopK SAE."""

    def saelens() -> Callable[[Tensor], Tensor]:
        from sae_lens.saes.topk_sae import TopKSAE, TopKSAEConfig

        encode: Any = TopKSAE(TopKSAEConfig(d_in=d_in, d_sae=d_sae, k=k)).encode
        return torch.no_grad()(encode)  # type: ignore[no-any-return]

    def dictionary() -> Callable[[Tensor], Tensor]:
        from dictionary_learning.trainers.top_k import AutoEncoderTopK

        return torch.no_grad()(AutoEncoderTopK(d_in, d_sae, k).encode)  # type: ignore[no-any-return]

    ways = {SAELENS: ("sae-lens", saelens), DICTIONARY: ("dictionary-learning", dictionary)}
    return {name: way() for name, way in installed(ways).items()}


def trainers(
    recipe: str, d_in: int, d_sae: int, k: int, batch: int
) -> dict[str, Callable[[Iterator[Tensor]], None]]:
    """Name and version -> one step on each batch, of those that have the recipe."""
    ways = {
        SAELENS: ("sae-lens", lambda: _saelens(recipe, d_in, d_sae, k, batch)),
        DICTIONARY: ("dictionary-learning", lambda: _dictionary(recipe, d_in, d_sae, k)),
    }
    built = {name: way() for name, way in installed(ways).items()}
    return {name: step for name, step in built.items() if step}


def _saelens(
    recipe: str, d_in: int, d_sae: int, k: int, batch: int
) -> Callable[[Iterator[Tensor]], None] | None:
    from sae_lens import saes
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    name, own = {
        "topk": ("TopK", {"k": k}),
        "batchtopk": ("BatchTopK", {"k": k}),
        "matryoshka": ("MatryoshkaBatchTopK", {"k": k, "matryoshka_widths": widths(d_sae)}),
        "jumprelu": ("JumpReLU", {}),
        "standard": ("Standard", {}),
    }.get(recipe, (None, {}))
    if name is None:
        return None
    config = getattr(saes, f"{name}TrainingSAEConfig")(d_in=d_in, d_sae=d_sae, **own)
    settings = SAETrainerConfig(STEPS * batch, batch, lr_end=3e-5)  # of a constant rate, unused
    sae = getattr(saes, f"{name}TrainingSAE")(config)
    trainer: Any = SAETrainer(settings, sae, iter(()))

    def steps(batches: Iterator[Tensor]) -> None:
        for rows in batches:
            trainer.step(rows)
            trainer.n_training_steps += 1

    return steps


def _dictionary(
    recipe: str, d_in: int, d_sae: int, k: int
) -> Callable[[Iterator[Tensor]], None] | None:
    from dictionary_learning.trainers import batch_top_k, jumprelu, standard, top_k
    from dictionary_learning.trainers import matryoshka_batch_top_k as matryoshka

    shares = [width / d_sae for width in groups(d_sae)]
    cls, own = {
        "topk": (top_k.TopKTrainer, {"k": k}),
        "batchtopk": (batch_top_k.BatchTopKTrainer, {"k": k}),
        "matryoshka": (matryoshka.MatryoshkaBatchTopKTrainer, {"k": k, "group_fractions": shares}),
        "jumprelu": (jumprelu.JumpReluTrainer, {}),
        "standard": (standard.StandardTrainer, {}),
    }.get(recipe, (None, {}))
    if cls is None:
        return None
    common = {"steps": STEPS, "activation_dim": d_in, "dict_size": d_sae}
    trainer = cls(**common, layer=0, lm_name="none", device="cpu", **own)

    def steps(batches: Iterator[Tensor]) -> None:
        for step, rows in enumerate(batches, start=1):  # 0 looks for the geometric median
            trainer.update(step, rows)

    return steps


def groups(d_sae: int) -> list[int]:
    """As studyrun's matryoshka has them: a sixteenth, then each as many as all so far."""
    first = d_sae // 16
    return [first, first, 2 * first, 4 * first, d_sae - 8 * first]


def widths(d_sae: int) -> list[int]:
    """The features up to the end of each group."""
    sizes = groups(d_sae)
    return [sum(sizes[: end + 1]) for end in range(len(sizes))]
