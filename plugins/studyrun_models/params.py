"""Parameters of the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from studyrun import FilePath, NonNegativeInt, PositiveInt

__all__ = ["CodiParams", "HfParams", "Prompt"]

Prompt = Annotated[str, Meta(pattern=r"\{question\}", examples=["Q: {question}\nA:"])]


@dataclass(frozen=True)
class CodiParams:
    """The model of a study: `{use: codi, with: {...}}`."""

    checkpoint: FilePath = "builtin:tiny-codi"
    """`builtin:tiny-codi`, its control `builtin:tiny-codi-idle` whose answers do without their
    thoughts, or a folder laid out like these: config.json with a `codi` section, model.safetensors,
    tokenizer.json."""
    weights: Literal["trained", "random"] = "trained"
    """`random` is the untrained-model control: every weight tensor is drawn anew from a normal
    distribution of its own mean and standard deviation."""
    weights_seed: NonNegativeInt = 0
    """Which draw `weights: random` is."""
    attention: Literal["sdpa", "eager"] = "sdpa"
    """Attention kernel. `eager` is slower and adds up in another order (differences near 1e-6)."""
    padding: Literal["masked", "official"] = "masked"
    """`masked`: a result does not depend on the batch. `official`: thoughts and answer see the
    padding of their batch of 128, as in the CODI authors' evaluation; for comparison only."""
    max_new_tokens: PositiveInt = 16
    """An answer ends here if the model has not ended it before."""


@dataclass(frozen=True)
class HfParams:
    """The model of a study: `{use: hf, with: {checkpoint: ...}}`."""

    checkpoint: FilePath
    """A folder as `save_pretrained` writes it, or `hub:owner/name` for a model that is in the
    local Hugging Face cache (`hf download owner/name` puts it there; a run downloads nothing)."""
    revision: str = "main"
    """Branch, tag or commit of a `hub:` checkpoint."""
    prompt: Prompt = "{question}"
    """The text that the model reads; `{question}` stands for the problem's question."""
    count_special: bool = False
    """Whether positions count the special tokens that the tokenizer adds (such as BOS)."""
    weights: Literal["trained", "random"] = "trained"
    """`random` is the untrained-model control: every weight tensor is drawn anew from a normal
    distribution of its own mean and standard deviation."""
    weights_seed: NonNegativeInt = 0
    """Which draw `weights: random` is."""
    attention: Literal["sdpa", "eager"] = "sdpa"
    """Attention kernel. `eager` is slower and adds up in another order (differences near 1e-6)."""
    max_new_tokens: PositiveInt = 64
    """An answer ends here if the model has not ended it before."""
