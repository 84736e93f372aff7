"""sparsify's cfg.json; imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from studyrun import Position
from studyrun_extract.foreign import wrong
from studyrun_sae.formats.header import Header, read_config, residual_layer

__all__ = ["CANNOT", "CONFIG", "WEIGHTS", "Config", "find"]

CONFIG, WEIGHTS = "cfg.json", "sae.safetensors"
RECTIFIED = "sparsify rectifies before it selects, so it has no negative activations"
THRESHOLD = "sparsify has no thresholds, and chooses k latents of every row"
CANNOT = {
    "abstopk": RECTIFIED,
    "batchtopk": THRESHOLD,
    "matryoshka": THRESHOLD,
    "jumprelu": THRESHOLD,
    "gated": "sparsify has no gates",
    "standard": "sparsify always chooses k latents",
}
"""Our architectures that it cannot hold, and why."""
SEED = re.compile(r"seed\d+")
"""The folder of one of several seeds lies in the hook's."""


@dataclass(frozen=True)
class Config:
    """The fields that decide what is computed."""

    d_in: int
    k: int = 32
    activation: str = "topk"
    expansion_factor: int = 32
    num_latents: int = 0
    skip_connection: bool = False
    transcode: bool = False
    signed: bool = False
    studyrun_position: Position | None = None

    @property
    def d_sae(self) -> int:
        """0 latents mean: as many as the expansion factor says."""
        return self.num_latents or self.d_in * self.expansion_factor


def find(path: Path) -> tuple[Config, Header]:
    """The configuration of an SAE in a folder, and what it and the folder's name say of it.

    Raises:
        StudyError: something is missing, or it is an SAE that cannot be read here, and why.
    """
    folder = path if path.is_dir() else path.parent
    file = folder / CONFIG
    config = read_config(file, Config, "sparsify")
    _demand_readable(config, file)
    if not (folder / WEIGHTS).is_file():
        raise wrong(folder, f"there is no {WEIGHTS}", "copy it from where the SAE comes from")
    hook = folder.parent.name if SEED.fullmatch(folder.name) else folder.name
    layer = residual_layer(hook)
    return config, Header(
        "sparsify",
        (folder / WEIGHTS, file),
        config.d_in,
        config.d_sae,
        config.activation,
        layer,
        config.studyrun_position,
        hook if layer is None else "",
    )


def _demand_readable(config: Config, file: Path) -> None:
    if config.transcode or config.skip_connection:
        name = "transcode" if config.transcode else "skip_connection"
        what = f"{name} is true: its output is not made of its decoder's directions alone"
        raise wrong(file, what, "use an SAE without it")
    if config.signed:
        what = "signed is true: an older sparsify, whose activations nobody here has seen"
        raise wrong(file, what, "use an SAE without it")
    if config.activation not in ("topk", "groupmax"):
        raise wrong(file, f"unknown activation {config.activation!r}", "known are topk, groupmax")
    if not 0 < config.k <= config.d_sae:
        what = f"k is {config.k}, but there are {config.d_sae} latents"
        raise wrong(file, what, "one of the two is wrong")
    if config.activation == "groupmax" and config.d_sae % config.k:
        what = f"{config.d_sae} latents are no {config.k} groups of one size"
        raise wrong(file, what, "k or num_latents is wrong")
