"""The format `saelens`: SAELens 6, and its older configuration."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from studyrun import NoParams, SaeWeights
from studyrun_extract.foreign import wrong
from studyrun_sae.formats.folding import with_unit_rows
from studyrun_sae.formats.header import OWN_POSITION, Header
from studyrun_sae.formats.recognition import demand_writable
from studyrun_sae.formats.saelens_config import (
    CONFIG,
    FOLDED,
    LAYOUT,
    WEIGHTS,
    Config,
    find,
    scaling_factor,
)
from studyrun_sae.formats.tensors import Tensors, demand_rows, demand_threshold

__all__ = ["SaeLens"]

RESCALED = {"topk", "abstopk", "batchtopk", "matryoshka"}
"""Whose selection may be among activations times the norms of decoder rows."""
LATER = "it was saved before it was learnt; take a later checkpoint"
THRESHOLDED = {"batchtopk": "batchtopk", "matryoshka": "matryoshka_batchtopk"}
"""What SAELens saves for use as a jumprelu, and its name in training."""


class SaeLens:
    """Reads an SAE's folder; writes one that SAELens 6 and later reads."""

    def __init__(self, params: NoParams) -> None:
        self.params = params

    def read(self, path: Path) -> SaeWeights:
        """The SAE of a folder; factors of the input and of decoder rows are folded in."""
        config, header = find(path)
        assert header.architecture is not None
        found = Tensors.load(header.files[0], CONFIG)
        tensors = _tensors(found, header, config)
        if config.normalization == FOLDED:
            tensors = _of_raw_input(tensors, scaling_factor(header.files[-1]), config)
        if config.rescale_acts_by_decoder_norm and header.architecture in RESCALED:
            tensors = with_unit_rows(tensors)
        return SaeWeights(
            header.architecture,
            tensors,
            _settings(config, header),
            header.layer,
            header.position,
            {"model": header.model, "hook": config.hook},
        )

    def write(self, sae: SaeWeights) -> dict[str, bytes]:
        """cfg.json and sae_weights.safetensors.

        What was trained with one threshold becomes a jumprelu, as SAELens itself does it.
        """
        demand_writable(sae, "saelens")
        tensors = {name: tensor.contiguous() for name, tensor in sae.tensors.items()}
        if sae.architecture in THRESHOLDED:
            tensors["threshold"] = tensors["threshold"].expand_as(tensors["b_enc"]).contiguous()
        if sae.architecture == "gated":
            tensors = _without_b_enc(tensors)
        config = json.dumps(_config(sae), indent=2)
        return {CONFIG: f"{config}\n".encode(), WEIGHTS: save(tensors)}


def _tensors(found: Tensors, header: Header, config: Config) -> dict[str, Tensor]:
    d_in, d_sae = config.d_in, config.d_sae
    tensors = {
        "W_enc": found.take("W_enc", d_in, d_sae),
        "W_dec": found.take("W_dec", d_sae, d_in),
        "b_dec": found.take("b_dec", d_in),
    }
    match header.architecture:
        case "gated":
            gates = {name: found.take(name, d_sae) for name in ("b_gate", "r_mag", "b_mag")}
            tensors |= gates | {"b_enc": torch.zeros(d_sae)}
        case "jumprelu":
            own = demand_threshold(found.take("threshold", d_sae), found.file, "threshold", LATER)
            tensors |= {"b_enc": found.take("b_enc", d_sae), "threshold": own}
        case "batchtopk" | "matryoshka":
            tensors |= {"b_enc": found.take("b_enc", d_sae), "threshold": _threshold(found)}
        case _:
            tensors["b_enc"] = found.take("b_enc", d_sae)
    _demand_no_scaling(found, d_sae)
    found.demand_done()
    demand_rows(tensors["W_dec"], tensors["W_enc"], found.file, "W_dec")
    return tensors


def _threshold(found: Tensors) -> Tensor:
    name = "topk_threshold"
    return demand_threshold(found.take(name), found.file, name, LATER)


def _demand_no_scaling(found: Tensors, d_sae: int) -> None:
    """Older files carry factors of all features, which are 1 unless they were fine-tuned."""
    if "scaling_factor" in found.found:
        factors = found.take("scaling_factor", d_sae)
        if not torch.allclose(factors, torch.ones_like(factors)):
            what = "scaling_factor is not 1: a fine-tuned SAE of before version 6"
            raise wrong(found.file, what, "save it with a SAELens that folds it")


def _of_raw_input(tensors: dict[str, Tensor], scale: float, config: Config) -> dict[str, Tensor]:
    """The SAE of x, given the one of scale * x, as SAELens folds it."""
    folded = {
        **tensors,
        "W_enc": tensors["W_enc"] * scale,
        "W_dec": tensors["W_dec"] / scale,
        "b_dec": tensors["b_dec"] / scale,
    }
    if config.rescale_acts_by_decoder_norm and config.kind in THRESHOLDED.values():
        folded["threshold"] = tensors["threshold"] / scale  # of activations times those norms
    return folded


def _settings(config: Config, header: Header) -> dict[str, Any]:
    settings: dict[str, Any] = {"pre_bias": config.apply_b_dec_to_input}
    if header.architecture in ("topk", "abstopk"):
        assert config.n_active is not None
        settings["k"] = int(config.n_active)
    if header.architecture in THRESHOLDED:
        settings["k"] = config.n_active
    if header.architecture == "matryoshka":
        widths = [0, *(config.matryoshka_widths or []), config.d_sae]
        pairs = pairwise(widths)
        settings["group_sizes"] = [wide - narrow for narrow, wide in pairs if wide > narrow]
    return settings


def _without_b_enc(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Gated SAEs of SAELens have one bias for the gate and one for the magnitude."""
    b_enc = tensors.pop("b_enc")
    return {
        **tensors,
        "b_gate": tensors["b_gate"] + b_enc,
        "b_mag": tensors["b_mag"] + b_enc * tensors["r_mag"].exp(),
    }


def _config(sae: SaeWeights) -> dict[str, Any]:
    d_in, d_sae = sae.tensors["W_enc"].shape
    config: dict[str, Any] = {
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": sae.settings["pre_bias"],
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": _metadata(sae),
    }
    if sae.architecture in ("topk", "abstopk"):
        config |= {"k": sae.settings["k"], "rescale_acts_by_decoder_norm": False}
    is_threshold = sae.architecture in THRESHOLDED
    return config | {"architecture": "jumprelu" if is_threshold else sae.architecture}


def _metadata(sae: SaeWeights) -> dict[str, Any]:
    known = {
        "sae_lens_version": LAYOUT,
        "model_name": sae.origin.get("model"),
        "hook_name": None if sae.layer is None else f"blocks.{sae.layer}.hook_resid_post",
        "training_architecture": THRESHOLDED.get(sae.architecture),
        OWN_POSITION: sae.position,
    }
    return {name: value for name, value in known.items() if value not in (None, "")}
