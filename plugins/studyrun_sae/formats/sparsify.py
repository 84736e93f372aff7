"""The format `sparsify`: EleutherAI's eai-sparsify."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save

from studyrun import NoParams, SaeWeights
from studyrun_sae.formats.folding import with_pre_bias
from studyrun_sae.formats.header import OWN_POSITION
from studyrun_sae.formats.recognition import demand_writable
from studyrun_sae.formats.sparsify_config import CONFIG, WEIGHTS, find
from studyrun_sae.formats.tensors import Tensors, demand_rows

__all__ = ["Sparsify"]


class Sparsify:
    """Reads the folder of one hook point; writes one, named like the hook where that is known."""

    def __init__(self, params: NoParams) -> None:
        self.params = params

    def read(self, path: Path) -> SaeWeights:
        """The SAE of a folder, computing in float32 whatever type the file has."""
        config, header = find(path)
        d_in, d_sae = config.d_in, config.d_sae
        found = Tensors.load(header.files[0], CONFIG)
        tensors = {
            "W_enc": found.take("encoder.weight", d_sae, d_in).T.contiguous(),
            "b_enc": found.take("encoder.bias", d_sae),
            "W_dec": found.take("W_dec", d_sae, d_in),
            "b_dec": found.take("b_dec", d_in),
        }
        found.demand_done()
        demand_rows(tensors["W_dec"], tensors["W_enc"], found.file, "W_dec")
        return SaeWeights(
            config.activation,
            tensors,
            {"k": config.k, "pre_bias": True},
            header.layer,
            header.position,
            {"hook": header.hook},
        )

    def write(self, sae: SaeWeights) -> dict[str, bytes]:
        """cfg.json and sae.safetensors; b_dec is always subtracted, so a missing one is folded."""
        demand_writable(sae, "sparsify")
        w = with_pre_bias(sae, True).tensors
        d_in, d_sae = w["W_enc"].shape
        config = {
            "activation": sae.architecture,
            "expansion_factor": max(1, d_sae // d_in),
            "normalize_decoder": False,
            "num_latents": d_sae,
            "k": sae.settings["k"],
            "multi_topk": False,
            "skip_connection": False,
            "transcode": False,
            "d_in": d_in,
            OWN_POSITION: sae.position,
        }
        tensors = {
            "encoder.weight": w["W_enc"].T.contiguous(),
            "encoder.bias": w["b_enc"].contiguous(),
            "W_dec": w["W_dec"].contiguous(),
            "b_dec": w["b_dec"].contiguous(),
        }
        folder = "" if sae.layer is None else f"layers.{sae.layer}/"
        text = f"{json.dumps(config, indent=2)}\n".encode()
        return {folder + CONFIG: text, folder + WEIGHTS: save(tensors)}
