"""What `classify` wants to be run once more with something changed; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studyrun import Variant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from studyrun_classify.params import ClassifyParams

__all__ = ["UNTRAINED", "seeds", "variants"]

UNTRAINED = "untrained"
FIRST_SEED = 1_000_001
"""Far from the seeds that people give their studies: an SAE trained with the same seed is the same
SAE, and would find all its features again."""


def variants(params: ClassifyParams) -> Iterator[Variant]:
    """The study with an untrained model, and with its SAE trained from other seeds."""
    if params.untrained:
        yield Variant(UNTRAINED, model={"weights": "random"})
    for name, seed in seeds(params).items():
        yield Variant(name, steps={"sae": {"seed": seed}})


def seeds(params: ClassifyParams) -> dict[str, int]:
    """The seed of every other SAE, by the name of its variant."""
    return {f"seed-{i + 1}": FIRST_SEED + i for i in range(params.sae_seeds)}
