"""Parameters of the SAE steps: one source of schema, defaults and docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from studyrun import Fraction, NonNegativeInt, PositiveFloat, PositiveInt

__all__ = ["AbsTopKRecipe", "SaeTrain"]

Beta = Annotated[float, Meta(ge=0, lt=1)]
NonNegativeFloat = Annotated[float, Meta(ge=0)]


@dataclass(frozen=True)
class SaeTrain:
    """Parameters of `sae-train`."""

    d_sae: PositiveInt = 512
    """Number of features."""
    k: PositiveInt = 32
    """Features kept per row; at most d_sae."""
    architecture: Literal["topk", "abstopk"] = "topk"
    """`topk`: the k largest pre-activations, then ReLU, b_dec subtracted from the input.
    `abstopk`: the k largest |pre-activations| with their sign, nothing subtracted."""
    layer: NonNegativeInt | None = None
    """The site's layer; may be left out where the activations hold one layer."""
    position: int | str | None = None
    """The site's position; may be left out where the activations hold one position."""
    epochs: PositiveInt = 40
    """Passes over the problems of the train split."""
    batch_size: PositiveInt = 256
    """Rows per step; changes the result, unlike the runtime's batch size."""
    lr: PositiveFloat = 4e-3
    """Adam's peak learning rate, for inputs of unit mean square."""
    beta1: Beta = 0.9
    """Adam's decay of the gradient's mean."""
    beta2: Beta = 0.999
    """Adam's decay of the gradient's square."""
    warmup: Fraction = 0.05
    """Share of the steps over which the learning rate rises from 0."""
    decay: Fraction = 0.5
    """Share of the steps, at the end, over which it falls to 0."""
    decoder_norm: Literal["unit", "initial"] = "unit"
    """`unit`: rows of W_dec keep norm 1 (the gradient is projected, then they are rescaled).
    `initial`: norm 1 at the start only."""
    input_norm: Literal["rms", "none"] = "rms"
    """`rms`: train on x / sqrt(mean((x - mean)^2)); folded into the saved weights. `none`: x."""
    bias_init: Literal["mean", "median", "zero"] = "mean"
    """Where b_dec starts: the mean, the geometric median, or 0."""
    encoder_init: Literal["decoder", "uniform"] = "decoder"
    """`decoder`: W_enc starts as W_dec transposed. `uniform`: W_enc and b_enc in
    +-1/sqrt(d_in), as torch's Linear."""
    aux_weight: NonNegativeFloat = 0.0625
    """Weight of the loss that lets dead features explain the error; 0 switches it off."""
    aux_k: PositiveInt | None = None
    """Dead features used per row in that loss; 2 k if left out."""
    dead_after: PositiveInt = 1
    """Epochs without being active after which training treats a feature as dead."""
    seed: NonNegativeInt | None = None
    """Decides the first weights and the order of the rows; the study's seed if not given."""


@dataclass(frozen=True)
class AbsTopKRecipe(SaeTrain):
    """Parameters of `sae-train-abstopk`: the same fields, the earlier investigation's values."""

    architecture: Literal["topk", "abstopk"] = "abstopk"
    """`abstopk`: the k largest |pre-activations| with their sign, nothing subtracted.
    `topk`: the k largest pre-activations, then ReLU, b_dec subtracted from the input."""
    epochs: PositiveInt = 25
    """Passes over the problems of the train split."""
    lr: PositiveFloat = 1e-3
    """Adam's learning rate."""
    warmup: Fraction = 0.0
    """Share of the steps over which the learning rate rises from 0."""
    decay: Fraction = 0.0
    """Share of the steps, at the end, over which it falls to 0."""
    decoder_norm: Literal["unit", "initial"] = "initial"
    """`initial`: rows of W_dec have norm 1 at the start only. `unit`: they keep it."""
    input_norm: Literal["rms", "none"] = "none"
    """`none`: x as it is. `rms`: scaled to unit mean square; folded into the saved weights."""
    bias_init: Literal["mean", "median", "zero"] = "zero"
    """Where b_dec starts: 0, the mean, or the geometric median."""
    encoder_init: Literal["decoder", "uniform"] = "uniform"
    """`uniform`: W_enc and b_enc in +-1/sqrt(d_in), as torch's Linear. `decoder`: W_enc starts as
    W_dec transposed."""
    aux_weight: NonNegativeFloat = 0.0
    """Weight of the loss that lets dead features explain the error; 0 switches it off."""
