"""dictionary_learning's config.json; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studyrun import Position
from studyrun_extract.foreign import wrong
from studyrun_sae.formats.header import Header, plain, read_config, residual_layer

__all__ = ["CANNOT", "CLASSES", "CONFIG", "WEIGHTS", "Trainer", "config_file", "demand_k", "find"]

CONFIG, WEIGHTS = "config.json", "ae.pt"
CLASSES = {
    "AutoEncoder": "standard",
    "AutoEncoderNew": "standard",
    "GatedAutoEncoder": "gated",
    "JumpReluAutoEncoder": "jumprelu",
    "AutoEncoderTopK": "topk",
    "BatchTopKSAE": "batchtopk",
    "MatryoshkaBatchTopKSAE": "matryoshka",
}
"""dict_class, and the architecture that it is."""
CANNOT = {
    "abstopk": "dictionary_learning rectifies before it selects, so it has no negative activations",
    "groupmax": "dictionary_learning has nothing that takes the largest of each group",
}
"""Our architectures that it cannot hold, and why."""


@dataclass(frozen=True)
class Trainer:
    """The fields of `trainer` that decide what is computed, or say where."""

    dict_class: str
    activation_dim: int
    dict_size: int
    k: int | None = None
    layer: int | str | None = None
    lm_name: str | None = None
    submodule_name: str | None = None
    studyrun_position: Position | None = None


@dataclass(frozen=True)
class _Config:
    trainer: Trainer
    buffer: dict[str, Any] | None = field(default=None)


def config_file(path: Path) -> Path:
    """Where the configuration of a folder, of its ae.pt or of one of its checkpoints lies."""
    folder = path if path.is_dir() else path.parent
    return folder.parent / CONFIG if folder.name == "checkpoints" else folder / CONFIG


def find(path: Path) -> tuple[Trainer, Header]:
    """The trainer's configuration, and what it says of the SAE.

    Raises:
        StudyError: something is missing, or it is an SAE that cannot be read here, and why.
    """
    file, weights = config_file(path), path / WEIGHTS if path.is_dir() else path
    config = read_config(file, _Config, "dictionary_learning")
    trainer = config.trainer
    if trainer.dict_class not in CLASSES:
        known = ", ".join(CLASSES)
        raise wrong(file, f"unknown dict_class {trainer.dict_class!r}", f"known are {known}")
    demand_k(trainer.k, trainer, file)
    if not weights.is_file():
        raise wrong(weights, "is not there", "copy it from where the SAE comes from")
    layer, hook = _place(trainer, config.buffer or {})
    return trainer, Header(
        "dictionary-learning",
        (weights, file),
        trainer.activation_dim,
        trainer.dict_size,
        CLASSES[trainer.dict_class],
        layer,
        trainer.studyrun_position,
        hook,
        plain(trainer.lm_name),
    )


def demand_k(k: int | None, trainer: Trainer, file: Path) -> None:
    """Nothing, if there is no k, or as many features.

    Raises:
        StudyError: there are fewer.
    """
    if k is not None and not 0 < k <= trainer.dict_size:
        what = f"k is {k}, but dict_size is {trainer.dict_size}"
        raise wrong(file, what, "one of the two is wrong")


def _place(trainer: Trainer, buffer: dict[str, Any]) -> tuple[int | None, str]:
    """The layer whose output it was trained on, or what is said in its place."""
    name = plain(trainer.submodule_name)
    if buffer.get("io", "out") != "out":
        return None, f"the input of {name or 'a module'}"
    if not name or name.startswith("resid_post"):
        return (trainer.layer if isinstance(trainer.layer, int) else None), ""
    layer = residual_layer(name)
    return layer, name if layer is None else ""
