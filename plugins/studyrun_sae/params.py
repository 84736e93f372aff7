"""Parameters of the SAE steps: one source of schema, defaults and docs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta

from studyrun import (
    FilePath,
    Fraction,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SaeFormatRef,
)

__all__ = [
    "K_SPARSE",
    "AbsTopKRecipe",
    "Architecture",
    "BatchTopK",
    "DictionaryLearning",
    "JumpReLU",
    "Matryoshka",
    "SaeLoad",
    "SaeSave",
    "SaeTrain",
    "Standard",
    "Trained",
]

Beta = Annotated[float, Meta(ge=0, lt=1)]
NonNegativeFloat = Annotated[float, Meta(ge=0)]
LATER = {"later": True}
"""Of a parameter that keys do not hold at its default, because they are older than it."""


@dataclass(frozen=True)
class BatchTopK:
    """How `batchtopk` is trained (Bussmann et al. 2024)."""

    momentum: Beta = 0.9
    """The threshold is the running mean of a batch's smallest activation: new = momentum * old +
    (1 - momentum) * smallest."""


@dataclass(frozen=True)
class Matryoshka:
    """How `matryoshka` is trained (Bussmann et al. 2025)."""

    groups: Annotated[list[PositiveInt], Meta(min_length=1)] | None = None
    """Features of each group, first group first; they sum to d_sae. If left out, five groups:
    the first group is a sixteenth, and each that follows doubles the features so far."""
    momentum: Beta = 0.9
    """Of the threshold, as in `batchtopk`."""


@dataclass(frozen=True)
class JumpReLU:
    """How `jumprelu` is trained (Rajamanoharan et al. 2024)."""

    l0_weight: PositiveFloat = 1.0
    """Weight of (l0 / k - 1)^2, l0 the batch's mean number of active features per row."""
    bandwidth: PositiveFloat = 1.0
    """Width of the kernel through which thresholds learn, for inputs of unit mean square."""


@dataclass(frozen=True)
class Standard:
    """How `standard` is trained (Bricken et al. 2023)."""

    l1_weight: PositiveFloat = 0.2
    """Weight of the activations' sum, each times the norm of its decoder row; k is not used."""


@dataclass(frozen=True)
class Trained:
    """An architecture with parameters of its own; exactly one."""

    batchtopk: BatchTopK | None = field(default=None, metadata=LATER)
    """The k n largest pre-activations of a batch of n rows; afterwards those above a threshold."""
    matryoshka: Matryoshka | None = field(default=None, metadata=LATER)
    """batchtopk whose first groups of features reconstruct by themselves too."""
    jumprelu: JumpReLU | None = field(default=None, metadata=LATER)
    """Those above their feature's threshold, which is learnt so that k are on average."""
    standard: Standard | None = field(default=None, metadata=LATER)
    """ReLU, kept sparse by a penalty on the activations' size."""


Architecture = Literal["topk", "abstopk", "batchtopk", "matryoshka", "jumprelu", "standard"]
K_SPARSE = ("topk", "abstopk")
"""Those of which every row has k active features at most, in training too."""


@dataclass(frozen=True)
class SaeTrain:
    """Parameters of `sae-train`."""

    d_sae: PositiveInt = 512
    """Number of features."""
    k: PositiveInt = 32
    """Features kept per row, or on average; at most d_sae."""
    architecture: Architecture | Trained = "topk"
    """`topk`: the k largest pre-activations, then ReLU, b_dec subtracted from the input.
    `abstopk`: the k largest |pre-activations| with their sign, nothing subtracted. The others,
    also with parameters: `{jumprelu: {l0_weight: 2}}`."""
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
    decay: Fraction | Literal["cosine"] = 0.5
    """Share of the steps, at the end, over which it falls to 0; `cosine`: as half a cosine, over
    all steps after `warmup`."""
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
    resample_every: PositiveInt | None = field(default=None, metadata=LATER)
    """Epochs after which dead features start anew, towards rows that are explained badly (Bricken
    et al. 2023); never if left out."""
    held_out: bool = field(default=False, metadata=LATER)
    """Reconstruct the validation split after every epoch: `fvu_held_out` in the history."""
    seed: NonNegativeInt | None = None
    """Decides the first weights and the order of the rows; the study's seed if not given."""

    def __post_init__(self) -> None:
        """`jumprelu` and `{jumprelu: {}}` are one."""
        named: dict[Any, Trained] = {
            "batchtopk": Trained(batchtopk=BatchTopK()),
            "matryoshka": Trained(matryoshka=Matryoshka()),
            "jumprelu": Trained(jumprelu=JumpReLU()),
            "standard": Trained(standard=Standard()),
        }
        if isinstance(self.architecture, str) and self.architecture in named:
            object.__setattr__(self, "architecture", named[self.architecture])

    @property
    def trained(self) -> tuple[str, Any]:
        """The architecture's name, and its own parameters; None where it has none.

        Raises:
            ValueError: none is named, or more than one.
        """
        if isinstance(self.architecture, str):
            return self.architecture, None
        given = [(name, own) for name, own in vars(self.architecture).items() if own is not None]
        if len(given) != 1:
            named = " and ".join(name for name, _ in given) or "none"
            raise ValueError(f"exactly one architecture is trained, but {named} is named")
        return given[0]


@dataclass(frozen=True)
class AbsTopKRecipe(SaeTrain):
    """Parameters of `sae-train-abstopk`: the same fields, the earlier investigation's values."""

    architecture: Architecture | Trained = "abstopk"
    """`abstopk`: the k largest |pre-activations| with their sign, nothing subtracted.
    `topk`: the k largest pre-activations, then ReLU, b_dec subtracted from the input. The others,
    also with parameters: `{jumprelu: {l0_weight: 2}}`."""
    epochs: PositiveInt = 25
    """Passes over the problems of the train split."""
    lr: PositiveFloat = 1e-3
    """Adam's learning rate."""
    warmup: Fraction = 0.0
    """Share of the steps over which the learning rate rises from 0."""
    decay: Fraction | Literal["cosine"] = 0.0
    """Share of the steps, at the end, over which it falls to 0; `cosine`: as half a cosine, over
    all steps after `warmup`."""
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


@dataclass(frozen=True)
class SaeLoad:
    """Parameters of `sae-load`."""

    path: FilePath
    """The SAE's folder, or its file: what a tool calls the checkpoint of one SAE."""
    format: SaeFormatRef = "auto"
    """How to read it: `auto` recognises saelens, sparsify, dictionary-learning and seed by the
    names of files; any other must be named."""
    layer: NonNegativeInt | None = None
    """The layer of its site; needed where neither the file says it nor the activations hold one
    layer only. What stands here counts, whatever the file says."""
    position: int | str | None = None
    """The position of its site, likewise; only seed has a place for it, and what `sae-save` wrote
    says it."""


@dataclass(frozen=True)
class SaeSave:
    """Parameters of `sae-save`."""

    format: SaeFormatRef = "saelens"
    """How to write it. What a format cannot hold it refuses with the reason."""


@dataclass(frozen=True)
class DictionaryLearning:
    """Parameters of the format `dictionary-learning`; only reading depends on them."""

    normalize_decoder: bool = True
    """Of an AutoEncoder: decoder rows are made of norm 1, and activations grow by the norms that
    they had, as its `from_pretrained` does unless told otherwise."""
    use_threshold: bool = False
    """Of an AutoEncoderTopK: its threshold says what is active, not its k."""
