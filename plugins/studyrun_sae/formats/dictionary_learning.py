"""The format `dictionary-learning`: ae.pt and config.json of dictionary_learning."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from studyrun import SaeWeights
from studyrun_extract.foreign import wrong
from studyrun_sae.formats.dictionary_config import CONFIG, WEIGHTS, demand_k, find
from studyrun_sae.formats.folding import with_pre_bias, with_unit_rows
from studyrun_sae.formats.header import OWN_POSITION
from studyrun_sae.formats.recognition import demand_writable
from studyrun_sae.formats.tensors import (
    UNSET,
    Tensors,
    demand_mapping,
    demand_rows,
    demand_threshold,
    load_pickled,
    pickled,
    whole_numbers,
)
from studyrun_sae.params import DictionaryLearning as Params

__all__ = ["DictionaryLearning"]

Parts = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors and settings."""


class DictionaryLearning:
    """Reads the folder of a trainer, its ae.pt or a checkpoint; writes such a folder."""

    def __init__(self, params: Params) -> None:
        self.params = params

    def read(self, path: Path) -> SaeWeights:
        """The SAE, as `dict_class` computes it."""
        trainer, header = find(path)
        file = header.files[0]
        found = Tensors(file, demand_mapping(load_pickled(file), file, "it"), CONFIG)
        dims = trainer.activation_dim, trainer.dict_size
        tensors, settings = READ[trainer.dict_class](found, *dims, self.params)
        found.demand_done()
        demand_rows(tensors["W_dec"], tensors["W_enc"], file, "the decoder")
        architecture = header.architecture
        if trainer.dict_class == "AutoEncoderTopK" and self.params.use_threshold:
            architecture = "batchtopk"
        assert architecture is not None
        demand_k(settings.get("k"), trainer, file)
        origin = {"model": header.model, "hook": trainer.submodule_name or ""}
        return SaeWeights(architecture, tensors, settings, header.layer, header.position, origin)

    def write(self, sae: SaeWeights) -> dict[str, bytes]:
        """ae.pt and config.json."""
        demand_writable(sae, "dictionary-learning")
        dict_class, pre_bias, keys = WRITTEN[sae.architecture]
        sae = with_pre_bias(sae, pre_bias)
        state = {name: tensor.contiguous() for name, tensor in keys(sae).items()}
        config = json.dumps(_config(sae, dict_class), indent=4)
        return {CONFIG: f"{config}\n".encode(), WEIGHTS: pickled(state)}


def _linear(found: Tensors, d: int, S: int) -> dict[str, Tensor]:
    """Encoder and decoder of the classes that are made of torch's Linear."""
    return {
        "W_enc": found.take("encoder.weight", S, d).T.contiguous(),
        "W_dec": found.take("decoder.weight", d, S).T.contiguous(),
    }


def _plain(found: Tensors, d: int, S: int) -> dict[str, Tensor]:
    """Encoder and decoder of the classes that hold W_enc and W_dec."""
    return {
        "W_enc": found.take("W_enc", d, S),
        "b_enc": found.take("b_enc", S),
        "W_dec": found.take("W_dec", S, d),
        "b_dec": found.take("b_dec", d),
    }


def _auto_encoder(found: Tensors, d: int, S: int, params: Params) -> Parts:
    tensors = _linear(found, d, S)
    tensors |= {"b_enc": found.take("encoder.bias", S), "b_dec": found.take("bias", d)}
    norms = tensors["W_dec"].norm(dim=1)
    if params.normalize_decoder and not torch.allclose(norms, torch.ones_like(norms)):
        tensors = with_unit_rows(tensors)
    return tensors, {"pre_bias": True}


def _auto_encoder_new(found: Tensors, d: int, S: int, params: Params) -> Parts:  # noqa: ARG001
    biases = {"b_enc": found.take("encoder.bias", S), "b_dec": found.take("decoder.bias", d)}
    return _linear(found, d, S) | biases, {"pre_bias": False}


def _gated(found: Tensors, d: int, S: int, params: Params) -> Parts:  # noqa: ARG001
    own = {
        "b_enc": torch.zeros(S),
        "b_dec": found.take("decoder_bias", d),
        "b_gate": found.take("gate_bias", S),
        "r_mag": found.take("r_mag", S),
        "b_mag": found.take("mag_bias", S),
    }
    return _linear(found, d, S) | own, {"pre_bias": True}


def _jumprelu(found: Tensors, d: int, S: int, params: Params) -> Parts:  # noqa: ARG001
    cure = "take a checkpoint in which they were learnt"
    threshold = demand_threshold(found.take("threshold", S), found.file, "threshold", cure)
    return _plain(found, d, S) | {"threshold": threshold}, {"pre_bias": False}


def _topk(found: Tensors, d: int, S: int, params: Params) -> Parts:
    biases = {"b_enc": found.take("encoder.bias", S), "b_dec": found.take("b_dec", d)}
    threshold = _threshold(found) if params.use_threshold else found.take("threshold")
    own = {"threshold": threshold} if params.use_threshold else {}
    return _linear(found, d, S) | biases | own, {"pre_bias": True, "k": _k(found)}


def _batch_topk(found: Tensors, d: int, S: int, params: Params) -> Parts:  # noqa: ARG001
    biases = {"b_enc": found.take("encoder.bias", S), "b_dec": found.take("b_dec", d)}
    own = {"threshold": _threshold(found)}
    return _linear(found, d, S) | biases | own, {"pre_bias": True, "k": _k(found)}


def _matryoshka(found: Tensors, d: int, S: int, params: Params) -> Parts:  # noqa: ARG001
    tensors = _plain(found, d, S) | {"threshold": _threshold(found)}
    groups = found.found.get("group_sizes")
    shape = (len(groups),) if isinstance(groups, Tensor) and groups.ndim else ()
    sizes = whole_numbers(found.take("group_sizes", *shape), found.file, "group_sizes")
    if sum(sizes) != S:
        what = f"group_sizes sum to {sum(sizes)}, not to the {S} features"
        raise wrong(found.file, what, "the file is damaged")
    return tensors, {"pre_bias": True, "k": _k(found), "group_sizes": sizes}


READ: dict[str, Callable[[Tensors, int, int, Params], Parts]] = {
    "AutoEncoder": _auto_encoder,
    "AutoEncoderNew": _auto_encoder_new,
    "GatedAutoEncoder": _gated,
    "JumpReluAutoEncoder": _jumprelu,
    "AutoEncoderTopK": _topk,
    "BatchTopKSAE": _batch_topk,
    "MatryoshkaBatchTopKSAE": _matryoshka,
}


def _threshold(found: Tensors) -> Tensor:
    cure = "it is learnt from step 1000 on; take a later checkpoint"
    return demand_threshold(found.take("threshold"), found.file, "threshold", cure)


def _k(found: Tensors) -> int:
    (k,) = whole_numbers(found.take("k"), found.file, "k")
    return k


def _torch_linear(sae: SaeWeights) -> dict[str, Tensor]:
    w = sae.tensors
    return {
        "encoder.weight": w["W_enc"].T,
        "encoder.bias": w["b_enc"],
        "decoder.weight": w["W_dec"].T,
    }


def _k_and_threshold(sae: SaeWeights) -> dict[str, Tensor]:
    threshold = sae.tensors.get("threshold", torch.tensor(UNSET))
    return {"k": torch.tensor(int(sae.settings["k"]), dtype=torch.int32), "threshold": threshold}


def _as_standard(sae: SaeWeights) -> dict[str, Tensor]:
    return _torch_linear(sae) | {"decoder.bias": sae.tensors["b_dec"]}


def _as_topk(sae: SaeWeights) -> dict[str, Tensor]:
    return _torch_linear(sae) | {"b_dec": sae.tensors["b_dec"]} | _k_and_threshold(sae)


def _as_jumprelu(sae: SaeWeights) -> dict[str, Tensor]:
    return {name: sae.tensors[name] for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold")}


def _as_matryoshka(sae: SaeWeights) -> dict[str, Tensor]:
    groups = torch.tensor(sae.settings["group_sizes"], dtype=torch.int64)
    return _as_jumprelu(sae) | _k_and_threshold(sae) | {"group_sizes": groups}


def _as_gated(sae: SaeWeights) -> dict[str, Tensor]:
    w, linear = sae.tensors, _torch_linear(sae)
    b_enc = linear.pop("encoder.bias")
    return {
        **linear,
        "decoder_bias": w["b_dec"],
        "gate_bias": w["b_gate"] + b_enc,
        "r_mag": w["r_mag"],
        "mag_bias": w["b_mag"] + b_enc * w["r_mag"].exp(),
    }


WRITTEN: dict[str, tuple[str, bool, Callable[[SaeWeights], dict[str, Tensor]]]] = {
    "standard": ("AutoEncoderNew", False, _as_standard),  # AutoEncoder is rescaled when read
    "topk": ("AutoEncoderTopK", True, _as_topk),
    "batchtopk": ("BatchTopKSAE", True, _as_topk),
    "matryoshka": ("MatryoshkaBatchTopKSAE", True, _as_matryoshka),
    "jumprelu": ("JumpReluAutoEncoder", False, _as_jumprelu),
    "gated": ("GatedAutoEncoder", True, _as_gated),
}
"""dict_class, whether it subtracts b_dec from its input, and its keys."""


def _config(sae: SaeWeights, dict_class: str) -> dict[str, Any]:
    d_in, d_sae = sae.tensors["W_enc"].shape
    layer, name = sae.layer, None
    if layer is not None:
        name = f"resid_post_layer_{layer}"
    trainer = {
        "trainer_class": None,
        "dict_class": dict_class,
        "activation_dim": d_in,
        "dict_size": d_sae,
        "k": int(sae.settings["k"]) if "k" in sae.settings else None,
        "layer": layer,
        "lm_name": sae.origin.get("model") or "",  # SAELens takes it apart
        "submodule_name": name,
        "group_sizes": sae.settings.get("group_sizes"),
        OWN_POSITION: sae.position,
    }
    buffer = {"d_submodule": d_in, "io": "out", "ctx_len": None}  # SAELens asks for it
    return {"trainer": trainer, "buffer": buffer}
