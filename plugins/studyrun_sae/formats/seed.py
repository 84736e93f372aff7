"""The format `seed`: the checkpoints of the investigation that this project grew out of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from studyrun import NoParams, Position, SaeWeights
from studyrun_extract.foreign import wrong
from studyrun_sae.formats.folding import with_pre_bias
from studyrun_sae.formats.recognition import demand_writable
from studyrun_sae.formats.seed_file import WEIGHTS, find
from studyrun_sae.formats.tensors import (
    Tensors,
    demand_mapping,
    demand_rows,
    load_pickled,
    pickled,
)

__all__ = ["Seed"]


@dataclass(frozen=True)
class _Config:
    input_dim: int
    latent_dim: int
    k: int
    position: Position | None = None
    layer: int | None = None


class Seed:
    """Reads and writes one .pt file; it says layer and position itself."""

    def __init__(self, params: NoParams) -> None:
        self.params = params

    def read(self, path: Path) -> SaeWeights:
        """The SAE of a file."""
        file = find(path).files[0]
        loaded = demand_mapping(load_pickled(file), file, "it")
        for key in ("model_state_dict", "config"):
            if key not in loaded:
                what = f"has no key {key!r}; it has {', '.join(loaded) or 'nothing'}"
                raise wrong(file, what, "is it another tool's file? name its format")
        config = _config(loaded["config"], file)
        found = Tensors(file, demand_mapping(loaded["model_state_dict"], file, "model_state_dict"),
                        "its own config")  # fmt: skip
        d_in, d_sae = config.input_dim, config.latent_dim
        tensors = {
            "W_enc": found.take("encoder.weight", d_sae, d_in).T.contiguous(),
            "b_enc": found.take("encoder.bias", d_sae),
            "W_dec": found.take("decoder.weight", d_in, d_sae).T.contiguous(),
            "b_dec": found.take("decoder.bias", d_in),
        }
        found.demand_done()
        demand_rows(tensors["W_dec"], tensors["W_enc"], file, "decoder.weight")
        settings = {"k": config.k, "pre_bias": False}
        return SaeWeights("abstopk", tensors, settings, config.layer, config.position)

    def write(self, sae: SaeWeights) -> dict[str, bytes]:
        """sae.pt; b_dec is never subtracted from the input, so where it was, that is folded."""
        demand_writable(sae, "seed")
        w = with_pre_bias(sae, False).tensors
        d_in, d_sae = w["W_enc"].shape
        state = {
            "encoder.weight": w["W_enc"].T.contiguous(),
            "encoder.bias": w["b_enc"].contiguous(),
            "decoder.weight": w["W_dec"].T.contiguous(),
            "decoder.bias": w["b_dec"].contiguous(),
        }
        config = {
            "input_dim": d_in,
            "latent_dim": d_sae,
            "k": sae.settings["k"],
            "position": sae.position,
            "layer": sae.layer,
        }
        whole = {"model_state_dict": state, "config": config, "metrics": {}, "training_history": {}}
        return {WEIGHTS: pickled(whole)}


def _config(raw: object, file: Path) -> _Config:
    try:
        config = msgspec.convert(raw, _Config)
    except msgspec.ValidationError as error:
        what = f"config: {str(error).replace('$.', '')}"
        raise wrong(file, what, "is it another tool's file? name its format") from error
    if not 0 < config.k <= config.latent_dim:
        what = f"config: k is {config.k}, but latent_dim is {config.latent_dim}"
        raise wrong(file, what, "one of the two is wrong")
    return config
