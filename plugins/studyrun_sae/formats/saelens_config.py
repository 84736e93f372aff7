"""SAELens' cfg.json, of version 6 and before; imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from studyrun_extract.foreign import wrong
from studyrun_sae.formats.header import (
    OWN_POSITION,
    Header,
    plain,
    read_config,
    residual_layer,
)

__all__ = ["CANNOT", "CONFIG", "LAYOUT", "WEIGHTS", "Config", "find", "scaling_factor"]

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
SCALER = "activation_scaler.json"
LAYOUT = "6.54.12"
"""The version whose layout this follows."""
READ = {
    "standard": "standard",
    "topk": "topk",
    "abstopk": "abstopk",
    "jumprelu": "jumprelu",
    "gated": "gated",
    "batchtopk": "batchtopk",
    "matryoshka_batchtopk": "matryoshka",
}
"""SAELens' names of the architectures that can be read, and ours."""
REFUSED = {
    "matching_pursuit": "its features are chosen one after the other, each from what is left",
    "transcoder": "it predicts another place than it reads, so its decoder is no direction there",
}
CANNOT = {"groupmax": "SAELens has nothing that takes the largest of each group"}
"""Our architectures that it cannot hold, and why."""
NORMS = {
    "layer_norm": "every row is scaled by its own standard deviation",
    "constant_norm_rescale": "every row is scaled by its own norm",
    "covariance_whitening": "rows are whitened",
}
FOLDED = "expected_average_only_in"
SMALLEST = 1e-12
"""A factor, and one over it, keep weights within what float32 holds."""
NEEDS_K = {"topk", "abstopk", "batchtopk", "matryoshka"}


@dataclass(frozen=True)
class Config:
    """The fields that decide what is computed."""

    d_in: int
    d_sae: int
    architecture: str = "standard"
    k: float | None = None
    apply_b_dec_to_input: bool = True
    rescale_acts_by_decoder_norm: bool = False
    normalize_activations: str | bool | None = "none"
    reshape_activations: str | None = None
    matryoshka_widths: list[int] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    # before version 6
    hook_name: str | None = None
    hook_point: str | None = None
    model_name: str | None = None
    activation_fn: str | None = None
    activation_fn_str: str | None = None
    activation_fn_kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def is_old(self) -> bool:
        """Whether SAELens reads it as a configuration from before version 6."""
        version = re.match(r"\d+", str(self.metadata.get("sae_lens_version", "")))
        return version is None or int(version[0]) < 6

    @property
    def activation(self) -> str:
        """The name of the activation function in an old configuration."""
        return self.activation_fn or self.activation_fn_str or "relu"

    @property
    def kind(self) -> str:
        """The architecture as SAELens 6 calls it."""
        is_topk = self.is_old and self.activation == "topk" and self.architecture == "standard"
        return "topk" if is_topk else self.architecture

    @property
    def n_active(self) -> int | float | None:
        """Its k, wherever it stands."""
        return self.activation_fn_kwargs.get("k", self.k) if self.is_old else self.k

    @property
    def hook(self) -> str:
        """The place that it was trained on."""
        old = self.hook_name or self.hook_point
        return plain(self.metadata.get("hook_name") or old)

    @property
    def normalization(self) -> str:
        """What is done to the input."""
        if isinstance(self.normalize_activations, bool):
            return FOLDED if self.normalize_activations else "none"
        return self.normalize_activations or "none"

    @property
    def reshapes(self) -> bool:
        """Whether heads are flattened first."""
        if self.reshape_activations is None:
            return self.is_old and "hook_z" in self.hook
        return self.reshape_activations == "hook_z"


def find(path: Path) -> tuple[Config, Header]:
    """The configuration of an SAE in a folder, and what it says of it.

    Raises:
        StudyError: something is missing, or it is an SAE that cannot be read here, and why.
    """
    folder = path if path.is_dir() else path.parent
    file = folder / CONFIG
    config = read_config(file, Config, "SAELens")
    _demand_readable(config, file)
    if not (folder / WEIGHTS).is_file():
        raise wrong(folder, f"there is no {WEIGHTS}", "copy it from where the SAE comes from")
    files = [folder / WEIGHTS, file]
    if config.normalization == FOLDED:
        files.append(_scaler(folder, file))
    own = config.metadata.get(OWN_POSITION)
    layer = residual_layer(config.hook)
    return config, Header(
        "saelens",
        tuple(files),
        config.d_in,
        config.d_sae,
        READ[config.kind],
        layer,
        own if isinstance(own, int | str) else None,
        config.hook if layer is None else "",
        plain(config.metadata.get("model_name") or config.model_name),
    )


def _demand_readable(config: Config, file: Path) -> None:
    kind = config.kind
    for name, why in REFUSED.items():
        if name in kind:
            raise wrong(file, f"architecture {kind!r} cannot be read: {why}", "use another SAE")
    if kind not in READ:
        known = ", ".join(READ)
        raise wrong(file, f"unknown architecture {kind!r}", f"known are {known}")
    if config.is_old and config.activation not in ("relu", "topk"):
        what = f"activation_fn {config.activation!r} is none that can be computed here"
        raise wrong(file, what, "relu and topk are")
    if config.reshapes:
        what = "it reads the heads of hook_z, which are no residual stream"
        raise wrong(file, what, "use an SAE of a hook_resid_post")
    if config.normalization not in ("none", FOLDED):
        why = NORMS.get(config.normalization, "nobody here knows what that is")
        what = f"normalize_activations {config.normalization!r} cannot be folded: {why}"
        raise wrong(file, what, "use an SAE trained without it")
    _demand_k(config, file)
    _demand_widths(config, file)


def _demand_k(config: Config, file: Path) -> None:
    k = config.n_active
    if READ[config.kind] not in NEEDS_K:
        return
    if not isinstance(k, int | float):
        raise wrong(file, f"has no k, which {config.kind} needs", "write it into the file")
    if not 0 < k <= config.d_sae:
        what = f"k is {k:g}, but there are d_sae = {config.d_sae} features"
        raise wrong(file, what, "one of the two is wrong")
    if config.kind in ("topk", "abstopk") and k != int(k):
        what = f"k is {k:g}, of which every row would have so many"
        raise wrong(file, what, "write a whole number")


def _demand_widths(config: Config, file: Path) -> None:
    """Matryoshka groups that grow, none wider than the SAE."""
    widths = [0, *(config.matryoshka_widths or [])]
    if any(one >= other for one, other in pairwise(widths)) or widths[-1] > config.d_sae:
        what = f"matryoshka_widths are {widths[1:]}, which do not grow up to d_sae = {config.d_sae}"
        raise wrong(file, what, "correct them")


def _scaler(folder: Path, config: Path) -> Path:
    """The file with the factor that inputs were multiplied by in training."""
    file = folder / SCALER
    if not file.is_file():
        what = f"normalize_activations is {FOLDED}, and there is no {SCALER} with the factor"
        cure = "fold it with SAELens' fold_activation_norm_scaling_factor, or add the file"
        raise wrong(config, what, cure)
    return file


@dataclass(frozen=True)
class Scaler:
    """activation_scaler.json."""

    scaling_factor: float | None = None
    has_whitening: bool = False


def scaling_factor(file: Path) -> float:
    """The factor that inputs were multiplied by.

    Raises:
        StudyError: there is none, or inputs were whitened.
    """
    scaler = read_config(file, Scaler, "SAELens")
    factor = scaler.scaling_factor
    if factor and not SMALLEST < factor < 1 / SMALLEST:
        what = f"scaling_factor is {factor:g}, by which nothing can be multiplied and divided"
        raise wrong(file, what, "a factor is a number above 0, near 1")
    if scaler.has_whitening or not factor:
        raise wrong(file, "holds no scaling_factor alone", "fold it with SAELens before saving")
    return factor
