"""Parameters of the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from studyrun import FilePath, NonNegativeInt, PositiveFloat, PositiveInt

__all__ = ["CodiParams", "HfParams", "Lora", "Prompt"]

Prompt = Annotated[str, Meta(pattern=r"\{question\}", examples=["Q: {question}\nA:"])]


@dataclass(frozen=True)
class Lora:
    """The low-rank matrices that a checkpoint of CODI's authors keeps beside the base's weights."""

    alpha: PositiveFloat = 32.0
    """A weight is W + alpha / r * B A. The file does not say alpha; the authors train with 32."""
    r: PositiveInt | None = None
    """Rank. The file tells it; one that is given must be the file's."""
    targets: tuple[str, ...] | None = None
    """Names of the modules that have such matrices, as `q_proj`. The file tells them; if they are
    given they must be the file's."""


@dataclass(frozen=True)
class CodiParams:
    """The model of a study: `{use: codi, with: {...}}`."""

    checkpoint: FilePath = "builtin:tiny-codi"
    """`builtin:tiny-codi`, its control `builtin:tiny-codi-idle` whose answers do without their
    thoughts, or a folder laid out like these: config.json with a `codi` section, model.safetensors,
    tokenizer.json. With `base`, a folder or `hub:owner/name` with the model.safetensors or
    pytorch_model.bin that the training code of CODI's authors saves."""
    base: FilePath | None = None
    """The model that a checkpoint of CODI's authors was trained from, a folder or `hub:owner/name`.
    Its config.json and tokenizer are read; its weights are in the checkpoint."""
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
    thoughts: PositiveInt | None = None
    """How many thoughts are computed; without it what config.json says, or with a `base` six."""
    lora: Lora = Lora()
    """The low-rank matrices of a checkpoint with a `base`."""
    prj_dim: NonNegativeInt | None = None
    """Inner width of the projection. The checkpoint tells it; one that is given must be the
    checkpoint's. 0 is for one without a projection, whose states are fed back as they are."""
    prj_layer_norm: bool | None = None
    """Whether the projection ends in a layer norm. The checkpoint tells it; if it is given, it must
    be so."""
    remove_eos: bool = True
    """Whether a checkpoint with a `base` was trained without `<eos>` before `<bot>` and after
    `<eot>`. The file does not say it; the authors' scripts do without."""
    revision: str = "main"
    """Branch, tag or commit of a `hub:` checkpoint."""
    base_revision: str = "main"
    """Branch, tag or commit of a `hub:` base."""


@dataclass(frozen=True)
class HfParams:
    """The model of a study: `{use: hf, with: {checkpoint: ...}}`."""

    checkpoint: FilePath
    """A folder as `save_pretrained` writes it, or `hub:owner/name` for a model that is in the
    local Hugging Face cache (`hf download owner/name` puts it there; a run downloads nothing)."""
    revision: str = "main"
    """Branch, tag or commit of a `hub:` checkpoint."""
    device_map: Literal["auto", "balanced", "sequential"] | None = None
    """How to spread a model that is too large for one GPU (needs the package accelerate); without
    it the whole model is on `runtime.device`."""
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
